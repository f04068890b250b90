package compare

// Estimate is the median of samples and its interval.
func Estimate(samples []float64) (median, low, high float64) {
	e := estimateOf(samples)
	return e.Median, e.Low, e.High
}

var Ratios = ratios

// PageOf is the page that samples of one row make.
func PageOf(row string, samples []Sample, missing map[string]string) string {
	c := &comparison{samples: samples, missing: missing, tools: &tools{}}
	for _, r := range rows {
		if r.name == row {
			c.rows = append(c.rows, r)
		}
	}
	c.subjects = subjects(c.tools)
	return c.page()
}

// Choose says which rows and servers the options pick, and why not.
func Choose(o Options) (picked []string, err error) {
	c := &comparison{o: o, missing: map[string]string{}, tools: &tools{finch: "finch", self: "bench", node: "node", bun: "bun", epoll: true}}
	if err := c.choose(); err != nil {
		return nil, err
	}
	for _, r := range c.rows {
		picked = append(picked, r.name)
	}
	for _, s := range c.subjects {
		picked = append(picked, s.name)
	}
	return picked, nil
}
