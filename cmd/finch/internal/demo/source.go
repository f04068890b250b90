package demo

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/finch-go/finch"
)

// sources is this package as it was compiled, and the program at the top of
// the page.
//
//go:embed *.go quickstart/main.go
var sources embed.FS

// sourceRoutes serve /source, the names, and /source/{name}, a file. Only
// what is listed is served; a name never reaches a file system.
func sourceRoutes() []finch.Route {
	files := readSources()
	names := slices.Sorted(maps.Keys(files))
	return []finch.Route{
		{Key: "source", Path: "/source", Index: func(rq *finch.Request) error {
			return rq.RenderJSON(names)
		}},
		{Key: "source.file", Path: "/source/{name}", Index: func(rq *finch.Request) error {
			file, ok := files[rq.PathValue("name")]
			if !ok {
				return finch.Errorf(404, "no_such_source", "the demo has no file of this name; /source lists them")
			}
			return rq.RenderString(file)
		}},
	}
}

func readSources() map[string]string {
	files := make(map[string]string)
	names, err := fs.Glob(sources, "*.go")
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if files[name], err = readSource(name); err != nil {
			break
		}
	}
	if err == nil {
		files["quickstart.go"], err = readSource("quickstart/main.go")
	}
	if err != nil {
		panic(fmt.Sprintf("demo: the embedded sources are not readable: %v", err)) // the build is broken
	}
	return files
}

func readSource(name string) (string, error) {
	b, err := sources.ReadFile(name)
	return string(b), err
}
