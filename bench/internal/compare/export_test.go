package compare

// Estimate is the median of samples and its interval.
func Estimate(samples []float64) (median, low, high float64) {
	e := estimateOf(samples)
	return e.Median, e.Low, e.High
}

var Ratios = ratios

// Pages are what samples of one row make, in English and in Persian.
func Pages(row string, samples []Sample, missing map[string]string) (en, fa string) {
	r := &report{
		Date: "2026-01-02", Commit: "abc", Processor: "a processor", CPUs: 2, Kernel: "6", Go: "1.26", Node: "20",
		Rows: []string{row}, Versions: map[string]string{"gws": "v1"}, Missing: missing, Samples: samples,
	}
	return r.page(&english), r.page(&persian)
}

// SaveAndLoad is a report of samples that went through a file.
func SaveAndLoad(file string, samples []Sample) ([]Sample, error) {
	r := &report{Rows: RowNames(), Samples: samples}
	if err := r.save(file); err != nil {
		return nil, err
	}
	r, err := loadReport(file)
	if err != nil {
		return nil, err
	}
	return r.Samples, nil
}

// Untold lists the rows and servers that a language has no words for.
func Untold() (untold []string) {
	for language, w := range map[string]*words{"English": &english, "Persian": &persian} {
		for _, name := range RowNames() {
			if w.rows[name].title == "" {
				untold = append(untold, language+": row "+name)
			}
		}
		for _, name := range ServerNames() {
			if w.titles[name] == "" {
				untold = append(untold, language+": server "+name)
			}
		}
	}
	return untold
}

// Choose says which rows and servers the options pick, and why not.
func Choose(o Options) (picked []string, err error) {
	c := &comparison{o: o, tools: &tools{finch: "finch", self: "bench", node: "node", bun: "bun", epoll: true}}
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
