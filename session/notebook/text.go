package notebook

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bounds of an output that is shown short.
const (
	shortLines = 12
	shortBytes = 1200
)

// Text is a cell as text: a line that says which and what, its source, its outputs
// short, pictures by their name. i counts from 0.
func (n *Notebook) Text(i int) string {
	c := &n.Cells[i]
	words := []string{fmt.Sprintf("cell %d", i+1), string(c.Kind)}
	if c.Count > 0 {
		words = append(words, fmt.Sprintf("In[%d]", c.Count))
	}
	if tags := c.Tags(); len(tags) > 0 {
		words = append(words, "tags: "+oneLine(strings.Join(tags, ", "), 200))
	}
	var b strings.Builder
	b.WriteString("[" + strings.Join(words, " | ") + "]\n")
	b.WriteString(ended(c.Source))
	for _, raw := range c.Outputs {
		b.WriteString(outputText(raw))
	}
	return b.String()
}

func ended(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// outputText is an output of a file, short.
func outputText(raw json.RawMessage) string {
	members := members1(raw)
	switch kind := word(members["output_type"]); kind {
	case "stream":
		text, _ := multiline(members["text"])
		return fmt.Sprintf("[output: %s]\n%s", oneLine(word(members["name"]), 40), short(text))
	case "error":
		return fmt.Sprintf("[output: error %s]\n", oneLine(word(members["ename"])+": "+word(members["evalue"]), 400))
	default:
		data := members1(members["data"])
		var others []string
		for _, mime := range slices.Sorted(maps.Keys(data)) {
			if mime != "text/plain" {
				others = append(others, fmt.Sprintf("%s, %s", oneLine(mime, 80), byteSize(mimeSize(mime, data[mime]))))
			}
		}
		head := "[output"
		if kind == "execute_result" {
			head += ": value"
		} else {
			head += ": display"
		}
		if len(others) > 0 {
			head += "; " + strings.Join(others, "; ")
		}
		text, _ := multiline(data["text/plain"])
		return head + "]\n" + short(text)
	}
}

// mimeSize is about how many bytes a value of a bundle has.
func mimeSize(mime string, raw json.RawMessage) int64 {
	text, err := multiline(raw)
	if err != nil {
		return int64(len(raw))
	}
	if !isText(mime) && !isJSON(mime) {
		return int64(len(text)) * 3 / 4 // base64
	}
	return int64(len(text))
}

// short is the beginning of a text, in whole lines where they are not long.
func short(text string) string {
	text = plainTerminal(valid([]byte(text)))
	kept, size := 0, 0
	for line := range strings.Lines(text) {
		if kept == shortLines || size+len(line) > shortBytes {
			break
		}
		kept, size = kept+1, size+len(line)
	}
	if size == len(text) {
		return ended(text)
	}
	if size == 0 {
		return oneLine(text, shortBytes) + "\n"
	}
	return fmt.Sprintf("%s[cut: %d more lines]\n", text[:size], strings.Count(strings.TrimSuffix(text[size:], "\n"), "\n")+1)
}

// oneLine is text within a line, at most n bytes of it.
func oneLine(text string, n int) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > n {
		text = strings.ToValidUTF8(text[:n], "") + "…"
	}
	return text
}
