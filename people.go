package finch

import (
	"encoding/json"
	"iter"
	"slices"
	"time"
)

// person is one name in a roster.
type person struct {
	name    string
	since   int64 // Unix milliseconds
	devices int32
	user    bool
	data    string // JSON, or nothing
}

func (who *person) member() Member {
	m := Member{Name: who.name, Devices: int(who.devices), Since: time.UnixMilli(who.since), Data: who.shows()}
	if who.user {
		m.User = who.name
	}
	return m
}

// shows answers what a person shows of itself, nil if nothing.
func (who *person) shows() json.RawMessage {
	if who.data == "" {
		return nil
	}
	return json.RawMessage(who.data)
}

// people are persons by their names. The zero value is nobody.
//
// Most rooms are small, and there are many of them: a handful is a list, which
// weighs a third of a map.
type people struct {
	few  []*person
	many map[string]*person // if there are more, all of them
}

// fewPeople is how many are a list.
const fewPeople = 16

func (l *people) len() int { return len(l.few) + len(l.many) }

// get returns the person of a name, or nil.
func (l *people) get(name string) *person {
	if l.many != nil {
		return l.many[name]
	}
	if i := l.index(name); i >= 0 {
		return l.few[i]
	}
	return nil
}

func (l *people) index(name string) int {
	return slices.IndexFunc(l.few, func(who *person) bool { return who.name == name })
}

// put adds a person, in place of the one of its name.
func (l *people) put(who *person) {
	if l.many != nil {
		l.many[who.name] = who
		return
	}
	if i := l.index(who.name); i >= 0 {
		l.few[i] = who
		return
	}
	if len(l.few) < fewPeople {
		l.few = append(l.few, who)
		return
	}
	l.many = make(map[string]*person, fewPeople+1)
	for _, other := range l.few {
		l.many[other.name] = other
	}
	l.many[who.name] = who
	l.few = nil
}

// drop removes the person of a name, if there is one.
func (l *people) drop(name string) {
	if l.many == nil {
		if i := l.index(name); i >= 0 {
			l.few = slices.Delete(l.few, i, i+1)
		}
		return
	}
	delete(l.many, name)
	if len(l.many) > fewPeople/2 { // not at the same number, or one that comes and goes costs a map each time
		return
	}
	for _, who := range l.many {
		l.few = append(l.few, who)
	}
	l.many = nil
}

// all yields everyone, in no order. Nobody may come or go meanwhile.
func (l *people) all() iter.Seq[*person] {
	return func(yield func(*person) bool) {
		for _, who := range l.few {
			if !yield(who) {
				return
			}
		}
		for _, who := range l.many {
			if !yield(who) {
				return
			}
		}
	}
}
