// A replica that starts has heard nobody for as long as its own start took: it complains of its leader only once that one
// has been silent since.
//
// The file belongs into the folder `internal/bft` of SmartBFT, as deploy/fabric/smartbft.patch leaves it;
// tests/functional/network/test_patches.py puts it there and runs it.

package bft

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	protos "github.com/hyperledger-labs/SmartBFT/smartbftprotos"
	"go.uber.org/zap"
)

const (
	start   = 5 * time.Second // of which the first tick is a second old
	timeout = 2 * time.Second
)

// listener is told of timeouts, and stands for whatever else a monitor or a view changer talks to.
type listener struct {
	complaints, syncs atomic.Int32
	said              chan *protos.Message
}

func (l *listener) OnHeartbeatTimeout(uint64, uint64)          { l.complaints.Add(1) }
func (l *listener) Sync()                                      { l.syncs.Add(1) }
func (l *listener) Nodes() []uint64                            { return nil }
func (l *listener) SendConsensus(uint64, *protos.Message)      {}
func (l *listener) SendTransaction(uint64, []byte)             {}
func (l *listener) BroadcastConsensus(message *protos.Message) { l.said <- message }
func (l *listener) ViewChanged(uint64, uint64)                 {}
func (l *listener) AbortView(uint64)                           {}
func (l *listener) StopTimers()                                {}
func (l *listener) RestartTimers()                             {}
func (l *listener) RemoveRequest(types.RequestInfo) error      { return nil }

// staleTicks is a ticker's channel as a start of five seconds leaves it; no tick is taken before the one it gets next.
func staleTicks() chan time.Time {
	ticks := make(chan time.Time, 1)
	ticks <- time.Now().Add(time.Second - start)
	return ticks
}

// tick hands over one tick, and returns once it has been taken.
func tick(ticks chan time.Time, now time.Time) {
	ticks <- now
	for len(ticks) > 0 {
		time.Sleep(time.Millisecond)
	}
}

func TestAStaleTickIsNoSilenceOfTheLeaders(t *testing.T) {
	ticks, handler := staleTicks(), &listener{}
	monitor := NewHeartbeatMonitor(ticks, zap.NewNop().Sugar(), timeout, 10, handler, 4, handler, &atomic.Value{}, 10)
	monitor.ChangeRole(Follower, 3, 2)
	defer monitor.Close()

	now := time.Now()
	tick(ticks, now)
	tick(ticks, now.Add(timeout/2))
	monitor.ChangeRole(Follower, 3, 2) // the monitor answers again only when it is done with the ticks
	if complaints := handler.complaints.Load(); complaints != 0 {
		t.Fatalf("complained %d times of a leader of whom nothing could have been heard", complaints)
	}
	tick(ticks, now.Add(2*timeout))
	monitor.ChangeRole(Follower, 3, 2)
	if complaints := handler.complaints.Load(); complaints != 1 {
		t.Fatalf("complained %d times of a leader that was silent", complaints)
	}
}

func TestAStaleTickIsNoTimeoutOfAViewChange(t *testing.T) {
	ticks, others := staleTicks(), &listener{said: make(chan *protos.Message, 10)}
	changer := &ViewChanger{
		SelfID: 1, N: 4, NodesList: []uint64{1, 2, 3, 4},
		Logger: zap.NewNop().Sugar(), Comm: others, Synchronizer: others, Controller: others, RequestsTimer: others,
		Ticker: ticks, ResendTimeout: time.Hour, ViewChangeTimeout: timeout,
	}
	changer.Start(3)
	defer changer.Stop()

	changer.StartViewChange(3, true)
	<-others.said
	now := time.Now()
	tick(ticks, now)
	tick(ticks, now.Add(timeout/2))
	tick(ticks, now.Add(timeout/2))
	if syncs := others.syncs.Load(); syncs != 0 {
		t.Fatalf("gave a view change up %d times that had only begun", syncs)
	}
	tick(ticks, now.Add(timeout*3/2))
	tick(ticks, now.Add(timeout*3/2))
	if syncs := others.syncs.Load(); syncs != 1 {
		t.Fatalf("gave a view change up %d times that took too long", syncs)
	}
}
