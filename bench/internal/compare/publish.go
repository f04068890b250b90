package compare

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// The pages, from the root of the repository.
const (
	englishPage = "docs/en/benchmarks.md"
	persianPage = "docs/fa/benchmarks.md"
)

// write writes the samples and the pages.
func (c *comparison) write() error {
	if c.o.Samples != "" {
		if err := c.report.save(c.o.Samples); err != nil {
			return err
		}
	}
	if !c.o.Docs {
		_, err := io.WriteString(os.Stdout, c.report.page(&english))
		return err
	}
	root, err := repository(c.ctx)
	if err != nil {
		return err
	}
	for name, w := range map[string]*words{englishPage: &english, persianPage: &persian} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(c.report.page(w)), 0o644); err != nil {
			return err
		}
	}
	// The Persian page says which state of the English one it follows.
	accept := exec.CommandContext(c.ctx, "go", "test", "./internal/docs", "-accept", persianPage)
	accept.Dir = root
	if out, err := accept.CombinedOutput(); err != nil {
		return fmt.Errorf("the pages are written, but go test ./internal/docs -accept %s failed: %w\n%s", persianPage, err, out)
	}
	return nil
}
