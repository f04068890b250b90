package feed

import (
	"container/heap"
	"sync"
	"time"
)

// A job is a request of a room's feed.
type job[M comparable] struct {
	named[M]
	Request
	due time.Time // by the runtime's clock
}

// jobs are what waits for the goroutine that dispatches.
type jobs[M comparable] struct {
	wake chan struct{} // has a token if there may be something new

	mu    sync.Mutex
	ready []job[M]
	later byDue[M]
	left  []leaver[M]
}

func (q *jobs[M]) put(e named[M], requests []Request) {
	if len(requests) == 0 {
		return
	}
	q.mu.Lock()
	for _, request := range requests {
		if request.After > 0 {
			heap.Push(&q.later, job[M]{e, request, time.Now().Add(request.After)})
		} else {
			q.ready = append(q.ready, job[M]{named: e, Request: request})
		}
	}
	q.mu.Unlock()
	q.rouse()
}

func (q *jobs[M]) leave(left ...leaver[M]) {
	if len(left) == 0 {
		return
	}
	q.mu.Lock()
	q.left = append(q.left, left...)
	q.mu.Unlock()
	q.rouse()
}

func (q *jobs[M]) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take returns what is to be done now, and after how long there is more; if
// there is nothing later, in an hour.
func (q *jobs[M]) take() (ready []job[M], left []leaver[M], next time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	ready, left, next = q.ready, q.left, time.Hour
	q.ready, q.left = nil, nil
	now := time.Now()
	for len(q.later) > 0 {
		if next = q.later[0].due.Sub(now); next > 0 {
			break
		}
		ready = append(ready, heap.Pop(&q.later).(job[M]))
		next = time.Hour
	}
	return ready, left, next
}

// byDue is a heap of jobs, the one that is due first on top.
type byDue[M comparable] []job[M]

func (h byDue[M]) Len() int           { return len(h) }
func (h byDue[M]) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h byDue[M]) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byDue[M]) Push(j any)        { *h = append(*h, j.(job[M])) }

func (h *byDue[M]) Pop() any {
	last := len(*h) - 1
	j := (*h)[last]
	(*h)[last] = job[M]{} // not kept alive
	*h = (*h)[:last]
	return j
}
