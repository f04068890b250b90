package finch

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/finch-go/finch/protocol"
)

// registry knows every event path of a manager, with its types where it was
// registered with [On] or [OnRequest]. Lookups take no lock.
type registry struct {
	mu    sync.Mutex // held while something is added
	state atomic.Pointer[registryState]
}

// registryState never changes once it is stored.
type registryState struct {
	byPath map[string]*entry
	order  []*entry // of registration
}

// entry is one event path.
type entry struct {
	path    string
	event   SocketEvent
	in, out reflect.Type // nil where not known
	place   string
}

func newRegistry() *registry {
	r := new(registry)
	r.state.Store(&registryState{byPath: map[string]*entry{}})
	return r
}

func (r *registry) lookup(path string) *entry { return r.state.Load().byPath[path] }

func (r *registry) inOrder() []*entry { return r.state.Load().order }

// add registers entries, all or none. It panics, as [http.ServeMux] does,
// when a path cannot be one or is taken, and names both places.
func (r *registry) add(entries ...*entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.state.Load()
	next := &registryState{byPath: maps.Clone(old.byPath), order: slices.Clone(old.order)}
	for _, e := range entries {
		if err := checkEventPath(e.path); err != nil {
			panic(fmt.Sprintf("finch: %s: %v", e.place, err))
		}
		if first := next.byPath[e.path]; first != nil {
			panic(fmt.Sprintf("finch: the event path %q is registered twice: first at %s, again at %s; keep one, or give one of them another path",
				e.path, first.place, e.place))
		}
		next.byPath[e.path] = e
		next.order = append(next.order, e)
	}
	r.state.Store(next)
}

// entriesOf turns a routes map into entries. A map has no order, so the paths
// of one map are taken in alphabetical order.
func entriesOf(routes map[string]SocketEvent, place string) []*entry {
	var list []*entry
	for _, path := range slices.Sorted(maps.Keys(routes)) {
		list = append(list, &entry{path: path, event: routes[path], place: place})
	}
	return list
}

// checkEventPath says why path cannot be an event path of an application.
func checkEventPath(path string) error {
	if err := protocol.CheckPath(path); err != nil {
		return err
	}
	if strings.HasPrefix(path, protocol.FrameworkPrefix) {
		return fmt.Errorf("the event path %q is reserved: paths under %q belong to the framework", path, protocol.FrameworkPrefix)
	}
	return nil
}
