package jupyter

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"slices"
	"strings"
)

// MIMEWidgetView is the type of a display that shows a widget of ipywidgets.
const MIMEWidgetView = "application/vnd.jupyter.widget-view+json"

// Bounds on what is remembered of a kernel's widgets.
const (
	maxWidgets     = 2000
	maxWidgetViews = 200
	maxWidgetState = 64 << 10 // of a message; larger ones are data, not words
	maxWidgetText  = 2000
	maxWidgetDepth = 6
	maxWidgetNodes = 200
	maxWidgetData  = 4 << 20  // of one picture, sound or film
	maxWidgetsData = 16 << 20 // of all
)

// Widgets follows the widgets of a kernel, whose state travels in comm messages and
// not in displays: without it a progress bar of tqdm.notebook would stand at 0 % for
// ever. The zero value is ready. It is not safe for concurrent use.
type Widgets struct {
	models map[string]*widget
	order  []string     // of their opening; some may be gone
	data   int          // bytes of data the models hold
	views  []widgetView // displayed, oldest first
}

type widget struct {
	state           widgetState
	changed, closed bool
}

// widgetState is what can be told of a widget in words.
type widgetState struct {
	Model       string          `json:"_model_name"`
	Value       json.RawMessage `json:"value"`
	Min         float64         `json:"min"`
	Max         float64         `json:"max"`
	Description string          `json:"description"`
	Children    []string        `json:"children"`
	Format      string          `json:"format"`
	data        []byte          // of a picture, sound or film: its value, which comes as a buffer
}

type widgetView struct{ model, displayID string }

// Note takes note of a comm message.
func (w *Widgets) Note(msg *Message) {
	var content struct {
		CommID string `json:"comm_id"`
		Target string `json:"target_name"`
		Data   struct {
			State   json.RawMessage `json:"state"`
			Buffers json.RawMessage `json:"buffer_paths"`
		} `json:"data"`
	}
	if len(msg.Content) > maxWidgetState || msg.DecodeContent(&content) != nil {
		return
	}
	model := w.models[content.CommID]
	switch {
	case model != nil && msg.Header.MsgType == MsgCommClose:
		model.closed = true
		return
	case model == nil && msg.Header.MsgType == MsgCommOpen && content.Target == "jupyter.widget":
		model = w.open(content.CommID)
	case model == nil:
		return
	}
	if len(content.Data.State) == 0 {
		return
	}
	_ = json.Unmarshal(content.Data.State, &model.state) // what cannot be read stays as it was
	model.changed = true
	s := &model.state
	s.Model, s.Description, s.Children = limited(s.Model), limited(s.Description), s.Children[:min(len(s.Children), maxWidgetNodes)]
	if len(s.Value) > maxWidgetText {
		s.Value = nil
	}
	w.noteData(s, content.Data.Buffers, msg.Buffers)
	if s.Model == "LayoutModel" || strings.HasSuffix(s.Model, "StyleModel") {
		w.forget(content.CommID) // two of three are such
	}
}

// noteData takes note of a value that comes as a buffer.
func (w *Widgets) noteData(s *widgetState, names json.RawMessage, buffers [][]byte) {
	var paths [][]any
	if s.media() == "" || json.Unmarshal(names, &paths) != nil {
		return
	}
	for i, path := range paths {
		if i >= len(buffers) || len(path) != 1 || path[0] != "value" {
			continue
		}
		w.data -= len(s.data)
		s.data = nil
		if n := len(buffers[i]); n <= maxWidgetData && w.data+n <= maxWidgetsData {
			s.data = bytes.Clone(buffers[i]) // else the whole message is kept
			w.data += n
		}
	}
}

// media is the MIME type of what a picture, sound or film holds, "" for others.
func (s *widgetState) media() string {
	kind, found := map[string]string{"ImageModel": "image", "AudioModel": "audio", "VideoModel": "video"}[s.Model]
	if !found || s.Format == "" {
		return ""
	}
	return kind + "/" + limited(s.Format)
}

// forget lets a model go.
func (w *Widgets) forget(id string) {
	if m := w.models[id]; m != nil {
		w.data -= len(m.state.data)
		delete(w.models, id)
	}
}

// open makes a model; the oldest one goes when there are too many.
func (w *Widgets) open(id string) *widget {
	if w.models == nil {
		w.models = map[string]*widget{}
	}
	for len(w.order) >= 2*maxWidgets || len(w.models) >= maxWidgets && len(w.order) > 0 {
		w.forget(w.order[0])
		w.order = w.order[1:]
	}
	m := &widget{}
	w.models[id] = m
	w.order = append(w.order, id)
	return m
}

// Show takes note of a display that shows a widget, and gives it the display id
// under which its later states are told.
func (w *Widgets) Show(out *Output) {
	var view struct {
		Model string `json:"model_id"`
	}
	v, found := out.Data[MIMEWidgetView]
	if !found || json.Unmarshal(v.Inline, &view) != nil || w.models[view.Model] == nil {
		return
	}
	if out.DisplayID == "" {
		out.DisplayID = "widget-" + view.Model
	}
	if !w.holdsData(view.Model, map[string]bool{}) {
		w.changed(view.Model, map[string]bool{}) // shown as it is now
	} else {
		w.models[view.Model].changed = true // its text has the data's first bytes
	}
	shown := widgetView{view.Model, out.DisplayID}
	w.views = slices.DeleteFunc(w.views, func(v widgetView) bool { return v == shown })
	if len(w.views) >= maxWidgetViews {
		w.views = slices.Delete(w.views, 0, 1)
	}
	w.views = append(w.views, shown)
}

// Changed returns an update for each displayed widget that has changed since it was
// displayed, or since the last call; an empty one for those that are closed.
func (w *Widgets) Changed() (updates []Output) {
	told := w.views // a widget may be within several
	w.views = slices.DeleteFunc(slices.Clone(w.views), func(v widgetView) bool {
		out := Output{Type: OutputUpdateDisplay, DisplayID: v.displayID}
		m := w.models[v.model]
		switch {
		case m == nil:
			return true
		case m.closed:
			out.Data = map[string]Value{"text/plain": TextValue("")}
		case w.anyChanged(v.model, map[string]bool{}):
			out.Data = map[string]Value{"text/html": TextValue(w.html(v.model, false, map[string]bool{}))}
		default:
			return false
		}
		updates = append(updates, out)
		return m.closed
	})
	for _, v := range told {
		if m := w.models[v.model]; m != nil && m.closed {
			w.forget(v.model)
		}
		w.changed(v.model, map[string]bool{})
	}
	return updates
}

// anyChanged reports whether the model or one within it has changed.
func (w *Widgets) anyChanged(model string, seen map[string]bool) bool {
	m := w.models[model]
	if m == nil || seen[model] || len(seen) >= maxWidgetNodes {
		return false
	}
	seen[model] = true
	return m.changed || slices.ContainsFunc(m.state.Children, func(child string) bool { return w.anyChanged(childID(child), seen) })
}

// holdsData reports whether the model, or one within it, is a picture, sound or film.
func (w *Widgets) holdsData(model string, seen map[string]bool) bool {
	m := w.models[model]
	if m == nil || seen[model] || len(seen) >= maxWidgetNodes {
		return false
	}
	seen[model] = true
	return len(m.state.data) > 0 || slices.ContainsFunc(m.state.Children, func(child string) bool { return w.holdsData(childID(child), seen) })
}

// changed takes the model and those within it as told.
func (w *Widgets) changed(model string, seen map[string]bool) {
	m := w.models[model]
	if m == nil || seen[model] || len(seen) >= maxWidgetNodes {
		return
	}
	seen[model], m.changed = true, false
	for _, child := range m.state.Children {
		w.changed(childID(child), seen)
	}
}

// childID is the model a child's reference names.
func childID(reference string) string { return strings.TrimPrefix(reference, "IPY_MODEL_") }

// html writes a widget as HTML without controls; inRow is for one whose neighbours
// may say the same.
func (w *Widgets) html(model string, inRow bool, seen map[string]bool) string {
	m := w.models[model]
	if m == nil || seen[model] || len(seen) >= maxWidgetNodes {
		return ""
	}
	seen[model] = true
	s := &m.state
	if s.Children != nil {
		row := s.Model == "HBoxModel"
		var parts []string
		for _, child := range s.Children {
			part := w.html(childID(child), row && len(s.Children) > 1, seen)
			if !row {
				part = "<div>" + part + "</div>"
			}
			parts = append(parts, part)
		}
		return strings.Join(parts, " ")
	}
	if kind := s.media(); kind != "" {
		return s.element(kind)
	}
	label := html.EscapeString(limited(s.Description))
	var text string
	isText := json.Unmarshal(s.Value, &text) == nil
	switch {
	case strings.HasPrefix(s.Model, "HTML") && isText:
		return strings.TrimSpace(label + " " + limited(text))
	case strings.HasSuffix(s.Model, "ProgressModel"):
		return strings.TrimSpace(label + " " + s.bar(!inRow))
	case isText:
		return strings.TrimSpace(label + " " + html.EscapeString(limited(text)))
	case len(s.Value) == 0 || string(s.Value) == "null":
		return label
	}
	if label == "" {
		label = html.EscapeString(strings.TrimSuffix(limited(s.Model), "Model"))
	}
	return label + ": " + html.EscapeString(limited(string(s.Value)))
}

// element writes a picture, sound or film as the browser's own.
func (s *widgetState) element(kind string) string {
	name, format, _ := strings.Cut(kind, "/")
	if name == "image" {
		name = "img"
	}
	source := "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(s.data)
	if format == "url" {
		source = limited(string(s.data))
	}
	return "<" + name + " src=\"" + html.EscapeString(source) + "\"></" + name + ">"
}

// bar draws a progress bar, with its numbers or without.
func (s *widgetState) bar(numbers bool) string {
	const cells = 10
	var value float64
	if json.Unmarshal(s.Value, &value) != nil || s.Max <= s.Min {
		return ""
	}
	full := int(min(max((value-s.Min)/(s.Max-s.Min), 0), 1) * cells)
	// A blank would be lost in HTML.
	bar := "|" + strings.Repeat("█", full) + strings.Repeat("·", cells-full) + "|"
	if numbers {
		bar += fmt.Sprintf(" %g/%g", value, s.Max)
	}
	return bar
}

func limited(s string) string { return string(clipUTF8([]byte(s), maxWidgetText)) }
