package broken

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// An Edit replaces a text that stands exactly once in a file of the product.
type Edit struct {
	File string // from the root of the repository
	Old  string
	New  string
}

// A Build is a product that lacks something, and how a run finds out.
type Build struct {
	Name  string
	Edits []Edit
	Args  []string // of the run, without a seed
}

// Root finds the repository, from anywhere inside of it.
func Root() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/finch-go/finch").Output()
	if err != nil {
		return "", fmt.Errorf("failed to find the repository: run it from inside: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Texts answers the files of the product as the build has them, by path from the
// root. An error says which edit does not fit any more.
func (b *Build) Texts(root string) (map[string]string, error) {
	texts := map[string]string{}
	for _, e := range b.Edits {
		text, ok := texts[e.File]
		if !ok {
			source, err := os.ReadFile(filepath.Join(root, e.File))
			if err != nil {
				return nil, err
			}
			text = string(source)
		}
		if n := strings.Count(text, e.Old); n != 1 {
			return nil, fmt.Errorf("%s: %q stands %d times in %s, not once", b.Name, e.Old, n, e.File)
		}
		texts[e.File] = strings.Replace(text, e.Old, e.New, 1)
	}
	return texts, nil
}

// Make compiles the harness into a directory and answers the program.
func (b *Build) Make(ctx context.Context, root, dir string) (program string, err error) {
	texts, err := b.Texts(root)
	if err != nil {
		return "", err
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for file, text := range texts {
		at := filepath.Join(dir, fmt.Sprintf("%d-%s", len(overlay.Replace), filepath.Base(file)))
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			return "", err
		}
		overlay.Replace[filepath.Join(root, file)] = at
	}
	b2, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, b2, 0o600); err != nil {
		return "", err
	}
	program = filepath.Join(dir, "chaos")
	build := exec.CommandContext(ctx, "go", "build", "-overlay", list, "-o", program, ".")
	build.Dir = filepath.Join(root, "chaos")
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s does not compile: %w\n%s", b.Name, err, said)
	}
	return program, nil
}
