package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

// A Process is another process on this machine, whose cost is read from the
// operating system.
type Process struct {
	pid    int
	settle string // fetched before memory is read
	client http.Client
}

// OpenProcess returns the process with this id; an error if there is none or it
// cannot be measured here. settleURL, if not empty, is fetched before memory is
// read, with any certificate if insecure.
func OpenProcess(pid int, settleURL string, insecure bool) (*Process, error) {
	p := &Process{pid: pid, settle: settleURL}
	// A connection of its own each time: one that is kept would count.
	p.client.Transport = &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: insecure}}
	if _, err := p.CPU(); err != nil {
		return nil, fmt.Errorf("the server's process %d cannot be measured: %w", pid, err)
	}
	if _, err := p.resident(); err != nil {
		return nil, fmt.Errorf("the server's process %d cannot be measured: %w", pid, err)
	}
	return p, nil
}

// CPU is the processor time that the process has used, all threads together,
// those that have ended too.
func (p *Process) CPU() (time.Duration, error) { return processCPU(p.pid) }

// Memory is how many bytes of the process are resident, after it was asked to
// settle if there is a way to ask.
func (p *Process) Memory(ctx context.Context) (int64, error) {
	if p.settle != "" {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.settle, nil)
		if err != nil {
			return 0, err
		}
		resp, err := p.client.Do(req)
		if err != nil {
			return 0, fmt.Errorf("the server was asked to settle: %w", err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err == nil && resp.StatusCode/100 != 2 {
			err = fmt.Errorf("it answered %s", resp.Status)
		}
		if err != nil {
			return 0, fmt.Errorf("the server was asked to settle: %w", err)
		}
	}
	return p.resident()
}

// resident reads smaps_rollup, which is exact; where that is not allowed statm,
// whose counters lag by some pages for each processor.
func (p *Process) resident() (int64, error) {
	dir := "/proc/" + strconv.Itoa(p.pid)
	if b, err := os.ReadFile(dir + "/smaps_rollup"); err == nil {
		for line := range bytes.Lines(b) {
			if value, ok := bytes.CutPrefix(line, []byte("Rss:")); ok {
				if fields := bytes.Fields(value); len(fields) == 2 {
					kb, err := strconv.ParseInt(string(fields[0]), 10, 64)
					return kb << 10, err
				}
			}
		}
	}
	b, err := os.ReadFile(dir + "/statm")
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0, fmt.Errorf("%s/statm has no second field", dir)
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}
