package fault_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/finch-go/finch/chaos/internal/fault"
)

var cluster = fault.Setting{Nodes: 3, Servers: 3, Links: true, Routes: true, Leaders: true, Lasting: true}

func TestOneSeedGivesOnePlan(t *testing.T) {
	for _, plan := range []func(fault.Setting, time.Duration, uint64) []fault.Fault{fault.Nodes, fault.Stores} {
		a, b, c := plan(cluster, time.Minute, 7), plan(cluster, time.Minute, 7), plan(cluster, time.Minute, 8)
		if !reflect.DeepEqual(a, b) || reflect.DeepEqual(a, c) {
			t.Errorf("seed 7: %v and %v; seed 8: %v", a, b, c)
		}
	}
}

func TestPlanFitsItsTime(t *testing.T) {
	for seed := range uint64(50) {
		for _, plan := range [][]fault.Fault{fault.Nodes(cluster, 40*time.Second, seed), fault.Stores(cluster, 40*time.Second, seed)} {
			var sum time.Duration
			for _, f := range plan {
				sum += f.After + f.For
			}
			if sum > 40*time.Second || len(plan) < 4 {
				t.Errorf("seed %d: %d faults take %v", seed, len(plan), sum)
			}
		}
	}
}

func TestLongPlanRollsTheStoreBackOnce(t *testing.T) {
	long := cluster
	long.Long = true
	alone := fault.Setting{Nodes: 1, Lasting: true, Long: true}
	count := func(list []fault.Fault) (n int) {
		for _, f := range list {
			if f.Kind == fault.Rollback {
				n++
			}
		}
		return n
	}
	if n := count(fault.Stores(long, 5*time.Minute, 1)); n != 1 {
		t.Errorf("a cluster is rolled back %d times", n)
	}
	if n := count(fault.Nodes(long, 5*time.Minute, 1)); n != 0 {
		t.Errorf("nodes of a cluster roll it back %d times", n)
	}
	if n := count(fault.Nodes(alone, 5*time.Minute, 1)); n != 1 {
		t.Errorf("a node with a store of its own is rolled back %d times", n)
	}
	if n := count(fault.Stores(cluster, 5*time.Minute, 1)); n != 0 {
		t.Errorf("a short run rolls back %d times", n)
	}
}

// TestMastersAreMetFirst: a short run of replicated servers is about them.
func TestMastersAreMetFirst(t *testing.T) {
	plan := fault.Stores(fault.Setting{Nodes: 3, Servers: 6, Links: true, Masters: true}, time.Minute, 7)
	seen := map[fault.Kind]bool{}
	for _, f := range plan[:3] {
		seen[f.Kind] = true
	}
	if !seen[fault.MasterKill] || !seen[fault.MasterPause] || !seen[fault.MasterLag] {
		t.Errorf("it begins with %v", plan[:3])
	}
}
