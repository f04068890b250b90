package broken_test

import (
	"testing"

	"github.com/finch-go/finch/chaos/internal/broken"
)

// TestEditsFitTheProduct: whoever changes one of these lines sees here that a build
// has to follow.
func TestEditsFitTheProduct(t *testing.T) {
	root, err := broken.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range broken.Builds {
		if _, err := b.Texts(root); err != nil {
			t.Error(err)
		}
	}
}
