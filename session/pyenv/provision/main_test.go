package provision

import (
	"os"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestMain says at the end how many tests were left out.
func TestMain(m *testing.M) { os.Exit(testneeds.Run(m)) }
