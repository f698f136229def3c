package notebook

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// version3 reads a cell of version 3 as one of version 4.
func version3(members map[string]json.RawMessage) (Cell, error) {
	c := Cell{Kind: Kind(word(members["cell_type"])), Metadata: members1(members["metadata"])}
	source := members["source"]
	if c.Kind == Code {
		source = members["input"]
	}
	var err error
	if c.Source, err = multiline(source); err != nil {
		return c, fmt.Errorf("its source %w", err)
	}
	switch c.Kind {
	case Code:
		c.Count = number(members["prompt_number"])
		if collapsed, found := members["collapsed"]; found {
			c.set("collapsed", collapsed)
		}
		var outputs []map[string]json.RawMessage
		if raw := members["outputs"]; len(raw) > 0 && json.Unmarshal(raw, &outputs) != nil {
			return c, errors.New("its outputs are no list")
		}
		for _, o := range outputs {
			c.Outputs = append(c.Outputs, compact(output3(o)))
		}
	case "heading":
		level := max(number(members["level"]), 1)
		c.Kind, c.Source = Markdown, strings.Repeat("#", min(level, 6))+" "+strings.Join(strings.Fields(c.Source), " ")
	case Markdown, Raw:
	case "html":
		c.Kind = Markdown
	case "":
		return c, errors.New("it has no \"cell_type\"")
	default:
		c.Kind = Raw
	}
	return c, nil
}

// mimeOf3 are the names that version 3 has for types.
func mimeOf3() map[string]string {
	return map[string]string{"text": "text/plain", "html": "text/html", "svg": "image/svg+xml", "png": "image/png", "jpeg": "image/jpeg",
		"latex": "text/latex", "json": "application/json", "javascript": "application/javascript"}
}

// output3 turns an output of version 3 into one of version 4.
func output3(o map[string]json.RawMessage) map[string]any {
	switch kind := word(o["output_type"]); kind {
	case "pyout", "display_data":
		data := map[string]any{}
		for name, mime := range mimeOf3() {
			raw, found := o[name]
			if !found {
				continue
			}
			text, err := multiline(raw)
			switch {
			case err != nil:
			case mime == "application/json" && json.Valid([]byte(text)):
				data[mime] = json.RawMessage(text)
			default:
				data[mime] = lines(text)
			}
		}
		out := map[string]any{"output_type": kind, "data": data, "metadata": map[string]any{}}
		if kind == "pyout" {
			out["output_type"], out["execution_count"] = "execute_result", nil
			if n := number(o["prompt_number"]); n > 0 {
				out["execution_count"] = n
			}
		}
		return out
	case "pyerr":
		var traceback []string
		_ = json.Unmarshal(o["traceback"], &traceback)
		return map[string]any{"output_type": "error", "ename": word(o["ename"]), "evalue": word(o["evalue"]), "traceback": append([]string{}, traceback...)}
	}
	text, _ := multiline(o["text"])
	name := word(o["stream"])
	if name == "" {
		name = "stdout"
	}
	return map[string]any{"output_type": "stream", "name": name, "text": lines(text)}
}
