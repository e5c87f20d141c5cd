// What SmartBFT has delivered is in the ledger, however long the ledger takes: a synchronization that comes next asks the
// ledger from which block on to pull, and an orderer that is given a block twice ends itself.
//
// The file belongs into the folder `orderer/consensus/smartbft` of Fabric, as deploy/fabric/fabric.patch leaves it;
// tests/functional/network/test_patches.py puts it there and runs it.

package smartbft

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger-labs/SmartBFT/pkg/consensus"
	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	"github.com/hyperledger/fabric-lib-go/common/flogging"
	"github.com/hyperledger/fabric-lib-go/common/metrics/disabled"
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	fabric "github.com/hyperledger/fabric/orderer/consensus"
	"github.com/hyperledger/fabric/protoutil"
)

const written = 300 * time.Millisecond // as a disk takes on a machine with other work

// slowLedger writes as Fabric's BlockWriter does: in the background, or before it returns.
type slowLedger struct {
	fabric.ConsenterSupport
	height atomic.Uint64
}

func (l *slowLedger) WriteBlock(block *cb.Block, metadata []byte) {
	go l.WriteBlockSync(block, metadata)
}

func (l *slowLedger) WriteBlockSync(block *cb.Block, _ []byte) {
	time.Sleep(written)
	l.height.Store(block.Header.Number + 1)
}

func TestADeliveredBlockIsInTheLedger(t *testing.T) {
	ledger := &slowLedger{}
	chain := &BFTChain{
		RuntimeConfig: &atomic.Value{},
		Logger:        flogging.MustGetLogger("test"),
		Metrics:       NewMetrics(&disabled.Provider{}),
		consensus:     &consensus.Consensus{},
		support:       ledger,
	}
	chain.RuntimeConfig.Store(RuntimeConfig{})
	block := protoutil.NewBlock(984, []byte("the block before"))
	block.Data.Data = [][]byte{[]byte("a transaction")}
	decided := types.Proposal{
		Header: protoutil.BlockHeaderBytes(block.Header),
		Payload: (&ByteBufferTuple{
			A: protoutil.MarshalOrPanic(block.Data),
			B: protoutil.MarshalOrPanic(block.Metadata),
		}).ToBytes(),
	}

	chain.Deliver(decided, nil)

	if height := ledger.height.Load(); height != block.Header.Number+1 {
		t.Fatalf("block %d was delivered, and the ledger's height is %d", block.Header.Number, height)
	}
}
