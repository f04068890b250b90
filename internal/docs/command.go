package docs

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
)

var (
	makeTarget = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):`)
	codeSpan   = regexp.MustCompile("`([^`]+)`")
)

// checkCommands sees that the paths and make targets of the shell commands that
// a page shows exist. Commands are read as given from the root of the
// repository, or from the folder that an earlier cd of the block entered.
func checkCommands(house fs.FS, p *page) {
	for _, b := range p.blocks {
		if b.open < 0 {
			continue
		}
		switch b.language {
		case "sh", "bash", "shell", "console":
			dir := "."
			for i := b.open + 1; i < b.close; i++ {
				dir = checkCommand(house, p, i, dir, strings.TrimPrefix(strings.TrimSpace(p.lines[i]), "$ "))
			}
		}
	}
	in := p.inBlock()
	for i, line := range p.lines {
		if in[i] {
			continue
		}
		for _, m := range codeSpan.FindAllStringSubmatch(line, -1) {
			if strings.HasPrefix(m[1], "go ") || strings.HasPrefix(m[1], "make ") {
				checkCommand(house, p, i, ".", m[1])
			}
		}
	}
}

// checkCommand looks at one line and answers the folder that the next one runs in.
func checkCommand(house fs.FS, p *page, line int, dir, command string) string {
	command, _, _ = strings.Cut(command, " #")
	words := strings.Fields(command)
	for i, word := range words {
		switch {
		case word == "cd" && i+1 < len(words):
			next := path.Join(dir, words[i+1])
			if info, err := fs.Stat(house, next); err == nil && info.IsDir() {
				dir = next
			} // else the name of the clone, which is the root
		case strings.HasPrefix(word, "./"):
			name := path.Join(dir, strings.TrimSuffix(word, "/..."))
			if _, err := fs.Stat(house, name); err != nil {
				p.fault(line, "the command %q: %s does not exist", command, name)
			}
		case i == 1 && words[0] == "make" && makeTarget.MatchString(word+":") && !hasTarget(house, word):
			p.fault(line, "the command %q: the Makefile has no target %s", command, word)
		}
	}
	return dir
}

func hasTarget(house fs.FS, name string) bool {
	text, _ := fs.ReadFile(house, "Makefile")
	for _, m := range makeTarget.FindAllStringSubmatch(string(text), -1) {
		if m[1] == name {
			return true
		}
	}
	return false
}
