package render

import "github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"

// noteType is the type of a display by which the launcher remarks on what the code
// did (mce_launch/notes.py). Its value is one of a few keys, so that code cannot put
// words into our mouth.
const noteType = "text/vnd.mce.note"

// noteLine words a remark, "" when there is none.
func noteLine(v jupyter.Value) string {
	key, err := v.Bytes(100)
	if err != nil {
		return ""
	}
	switch string(key) {
	case "empty-figure":
		return "[note: this figure is new and empty: the one before was closed when it was shown. Draw a figure whole in one call, " +
			"or keep it (fig, ax = plt.subplots()), draw on ax and end with fig]"
	case "blank-file":
		return "[note: the saved figure is blank: the one before was closed when it was shown. Call savefig before plt.show(), or fig.savefig]"
	case "interactive-figures":
		return "[note: interactive figures cannot be shown here: figures are shown as pictures, as with %matplotlib inline]"
	case "no-window":
		return "[note: no window can be opened here: %matplotlib inline shows figures as pictures]"
	}
	return ""
}
