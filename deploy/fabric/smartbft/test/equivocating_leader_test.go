// A leader that tells each orderer another story: whatever it says, no two honest orderers deliver different blocks.
//
// The file belongs into the folder `test` of SmartBFT, as deploy/fabric/smartbft.patch leaves it, beside the network of
// nodes that SmartBFT's own tests run on; tests/functional/network/test_patches.py puts it there and runs it.

package test

import (
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	"github.com/hyperledger-labs/SmartBFT/smartbftprotos"
	"google.golang.org/protobuf/proto"
)

const (
	orderers = 4
	requests = 5
	patience = 15 * time.Second
)

// liar is the leader's part towards the others: what it proposes to each, and that it votes for what it proposed.
type liar struct {
	lock     sync.Mutex
	chance   *rand.Rand
	versions map[uint64]int               // the story that an orderer hears
	digests  map[uint64]map[uint64]string // what a proposal to an orderer hashes to, by its number
}

func (l *liar) tell(target uint64, message *smartbftprotos.Message) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if proposed := message.GetPrePrepare(); proposed != nil {
		proposal := proposed.Proposal
		if version := l.versions[target]; version > 0 {
			other := Request{ID: fmt.Sprintf("%d-%d", proposed.Seq, version), ClientID: "liar"}
			proposal.Payload = batch{Requests: [][]byte{other.ToBytes()}}.toBytes()
		}
		digest := types.Proposal{
			Header:               proposal.Header,
			Payload:              proposal.Payload,
			Metadata:             proposal.Metadata,
			VerificationSequence: int64(proposal.VerificationSequence),
		}.Digest()
		l.digests[target][proposed.Seq] = digest
	}
	if vote := message.GetPrepare(); vote != nil {
		vote.Digest = l.agreeing(target, vote.Seq, vote.Digest)
	}
	if vote := message.GetCommit(); vote != nil {
		vote.Digest = l.agreeing(target, vote.Seq, vote.Digest)
	}
}

// agreeing is the digest that `target` believes in; now and then the leader keeps its vote to itself.
func (l *liar) agreeing(target, sequence uint64, otherwise string) string {
	if l.chance.Intn(4) == 0 {
		return "withheld"
	}
	if digest, known := l.digests[target][sequence]; known {
		return digest
	}
	return otherwise
}

func TestAnEquivocatingLeaderDividesNobody(t *testing.T) {
	fastConfig.ViewChangeTimeout = 2 * time.Second // as ledger/protocol/consortium.py has it
	fastConfig.ViewChangeResendInterval = time.Second
	fastConfig.LeaderHeartbeatTimeout = 2 * time.Second
	var finished atomic.Int32
	stories := [][]int{{0, 0, 1}, {0, 1, 1}, {1, 0, 0}, {1, 1, 0}, {0, 1, 2}, {1, 2, 3}, {1, 1, 1}, {1, 0, 1}}
	t.Cleanup(func() { // it may hold up the rest for some changes of leader, but it was followed and left
		if int(finished.Load()) <= len(stories)/2 {
			t.Errorf("only in %d of %d stories all requests were delivered", finished.Load(), len(stories))
		}
	})
	for number, story := range stories {
		t.Run(fmt.Sprint(story), func(t *testing.T) {
			t.Parallel()
			network := NewNetwork()
			defer network.Shutdown()
			folder := t.TempDir()
			nodes := make([]*App, 0, orderers)
			for id := uint64(1); id <= orderers; id++ {
				node := newNode(id, network, t.Name(), folder, false, 0)
				node.Mute()
				node.LoseMessages(func(*smartbftprotos.Message) bool { return false }) // or it takes a lonely vote for a mistake
				nodes = append(nodes, node)
			}
			leader := &liar{
				chance:   rand.New(rand.NewSource(int64(number))),
				versions: make(map[uint64]int),
				digests:  make(map[uint64]map[uint64]string),
			}
			for index, version := range story {
				target := uint64(index + 2)
				leader.versions[target], leader.digests[target] = version, make(map[uint64]string)
				nodes[0].MutateSend(target, leader.tell)
			}
			startNodes(nodes, network)
			for request := 0; request < requests; request++ {
				for _, node := range nodes {
					node.Submit(Request{ID: fmt.Sprint(request), ClientID: "alice"})
				}
			}

			delivered := make(map[uint64]string) // by the block's number, whoever delivered it first
			missing := map[uint64]int{2: requests, 3: requests, 4: requests}
			deadline := time.After(patience)
			for missing[2]+missing[3]+missing[4] > 0 {
				var node *App
				var record *AppRecord
				select {
				case record = <-nodes[1].Delivered:
					node = nodes[1]
				case record = <-nodes[2].Delivered:
					node = nodes[2]
				case record = <-nodes[3].Delivered:
					node = nodes[3]
				case <-deadline:
					t.Logf("still missing: %v", missing)
					return
				}
				metadata := &smartbftprotos.ViewMetadata{}
				if err := proto.Unmarshal(record.Metadata, metadata); err != nil {
					t.Fatal(err)
				}
				sequence, block := metadata.LatestSequence, fmt.Sprintf("%x", record.Batch.toBytes())
				if first, known := delivered[sequence]; known && first != block {
					t.Fatalf("block %d is %s at orderer %d and %s at another", sequence, block, node.ID, first)
				}
				delivered[sequence] = block
				for _, each := range record.Batch.Requests {
					if requestFromBytes(each).ClientID == "alice" {
						missing[node.ID]--
					}
				}
			}
			finished.Add(1)
		})
	}
}
