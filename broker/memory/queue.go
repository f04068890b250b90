package memory

// A queue holds values oldest first. Pushing and popping cost O(1) on average;
// what was popped is not kept alive.
type queue[T any] struct {
	values []T
	first  int // values before it are popped
}

func (q *queue[T]) len() int { return len(q.values) - q.first }

func (q *queue[T]) at(i int) *T { return &q.values[q.first+i] }

func (q *queue[T]) push(v T) {
	if q.first > 0 && len(q.values) == cap(q.values) && q.first >= len(q.values)/2 {
		n := copy(q.values, q.values[q.first:])
		clear(q.values[n:])
		q.values, q.first = q.values[:n], 0
	}
	q.values = append(q.values, v)
}

func (q *queue[T]) pop() T {
	var none T
	v := q.values[q.first]
	q.values[q.first] = none
	q.first++
	if q.len() == 0 {
		q.values, q.first = nil, 0
	}
	return v
}

// cut removes the n newest.
func (q *queue[T]) cut(n int) {
	end := len(q.values) - n
	clear(q.values[end:])
	q.values = q.values[:end]
}
