package child

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Descriptors is how many files it has open. Like the rest of what the kernel says
// of a process, only Linux says it, and of one that runs.
func (p *Process) Descriptors() (int, error) {
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.ID()))
	return len(files), err
}

// Resident is its resident memory in bytes.
func (p *Process) Resident() (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.ID()))
	if err != nil {
		return 0, err
	}
	var size, pages int
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		return 0, fmt.Errorf("%s: what the kernel says is no statistic: %s", p.Name, b)
	}
	return pages * os.Getpagesize(), nil
}

// CPU is the processor time that it has used, system calls included.
func (p *Process) CPU() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.ID()))
	if err != nil {
		return 0, err
	}
	used, ok := cpuOf(string(b))
	if !ok {
		return 0, fmt.Errorf("%s: what the kernel says is no statistic: %s", p.Name, b)
	}
	return used, nil
}

// ticks is how many the kernel counts in a second of processor time: 100 on every
// Linux that Go runs on.
const ticks = 100

// cpuOf reads the processor time out of a statistic of the kernel. The name of the
// program, in brackets, may hold anything, brackets too; user and system time are
// the twelfth and thirteenth field behind it.
func cpuOf(stat string) (used time.Duration, ok bool) {
	name := strings.LastIndex(stat, ") ")
	if name < 0 {
		return 0, false
	}
	fields := strings.Fields(stat[name+1:])
	if len(fields) < 13 {
		return 0, false
	}
	for _, field := range fields[11:13] {
		n, err := strconv.ParseUint(field, 10, 32)
		if err != nil {
			return 0, false
		}
		used += time.Duration(n) * time.Second / ticks
	}
	return used, true
}
