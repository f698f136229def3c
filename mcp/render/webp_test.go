package render

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// webps are 32x24 files as Pillow writes them: the standard library writes none.
func webps(t testing.TB) map[string][]byte {
	all := map[string][]byte{}
	for name, text := range map[string]string{
		"animation":       "UklGRkQBAABXRUJQVlA4WAoAAAACAAAAHwAAFwAAQU5JTQYAAAAAAAAAAABBTk1GXAAAAAAAAAAAAB8AABcAAGQAAAJWUDggRAAAALADAJ0BKiAAGAA+bTSWR6QjIiEoCACADYllAMkCgH4AAtaQY7UAAP7wm0P/yC5YXXI1//ID/kB/yA//kB/+m9mp84AAQU5NRlQAAAAAAAAAAAAfAAAXAABkAAAAVlA4IDwAAADUAgCdASogABgAPm00lkeCgIAAANiWUAdgAExQ4dowAP75Hdv//kB//kB//kB//ID//iF3shz/9P4AAABBTk1GWAAAAAAAAAAAAB8AABcAAGQAAABWUDggQAAAADQDAJ0BKiAAGAA+bTSWR4KAgAAA2JZQDJAoB+AALWkGO1AA/vCbQ//ILlhdcjX/8gP+QH/ID/+QH/6b2anzgAA=",
		"lossy":           "UklGRkoAAABXRUJQVlA4ID4AAAAwAwCdASogABgAPtFiqk+oJaOiKAgBABoJZQDJAoAAQFBQAP7rNv/isnxX7f/0JP/ibP+Js+DmJvNnhAAAAA==",
		"exif":            "UklGRnIAAABXRUJQVlA4WAoAAAAIAAAAHwAAFwAAVlA4ID4AAAAwAwCdASogABgAPtFiqk+oJaOiKAgBABoJZQDJAoAAQFBQAP7rNv/isnxX7f/0JP/ibP+Js+DmJvNnhAAAAEVYSUYOAAAATU0AKgAAAAgAAAAAAAA=",
		"alpha_exif":      "UklGRoQAAABXRUJQVlA4WAoAAAAYAAAAHwAAFwAAQUxQSAoAAAABB1CtiAhERP8DVlA4ID4AAAAwAwCdASogABgAPtFiqk+oJaOiKAgBABoJZQDJAoAAQFBQAP7rNv/isnxX7f/0JP/ibP+Js+DmJvNnhAAAAEVYSUYOAAAATU0AKgAAAAgAAAAAAAA=",
		"alpha_animation": "UklGRgYBAABXRUJQVlA4WAoAAAASAAAAHwAAFwAAQU5JTQYAAAAAAAAAAABBTk1GagAAAAAAAAAAAB8AABcAAAkAAAJBTFBICgAAAAEHUK2ICERE/wNWUDggQAAAAHADAJ0BKiAAGAA+0WKrT6glpCIoCAEAGgllAMougALIl1DFAAD+6zb/6E2Paiv/9CT/4mz/ibPhFf4C3rhIQABBTk1GaAAAAAAAAAAAAB8AABcAAAkAAAJBTFBICgAAAAEHUIWICERE/wNWUDggPgAAADADAJ0BKiAAGAA+0WKrT6glpCIoCAEAGgllAMoA+AKuk4AA/vCbQ//Qk//4mz/+k2fCK4wmknR/uOcoSQAA",
	} {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = b
	}
	return all
}

// TestWebP: the decoder reads plain files only; of an animation the first frame
// is shown and the caption says so.
func TestWebP(t *testing.T) {
	for name, b := range webps(t) {
		t.Run(name, func(t *testing.T) {
			r := Outputs(sequence(jupyter.Output{
				Type: jupyter.OutputDisplayData, Data: map[string]jupyter.Value{"image/webp": jupyter.InlineValue(b)},
			}), testBudget(characters, false), Options{})
			if r.Images != 1 {
				t.Fatalf("%+v", r.Blocks)
			}
			if !strings.Contains(r.Blocks[0].Text, "32x24 WebP") {
				t.Errorf("caption: %s", r.Blocks[0].Text)
			}
			if moving := strings.Contains(name, "animation"); moving != strings.Contains(r.Blocks[0].Text, "frames, the first one shown") {
				t.Errorf("caption: %s", r.Blocks[0].Text)
			}
			if _, err := decode("WebP", r.Blocks[1].Image); err != nil || r.Blocks[1].MIME != "image/webp" {
				t.Errorf("%s: %v", r.Blocks[1].MIME, err)
			}
			if _, err := fitImage(b[:len(b)-3], imageBytes, nil); err == nil {
				t.Error("a truncated file is taken")
			}
		})
	}
}
