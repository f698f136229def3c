package keep

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Text is what a person reads of a server.
func (s Status) Text(now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  process %d, version %s, for %s, %s\n", s.Key, s.PID, s.Version, span(now.Sub(s.Started)), megabytes(s.Memory()))
	fmt.Fprintf(&b, "    code runs in  %s\n    log           %s\n", plain(s.WorkDir), plain(s.Log))
	if s.Problem != "" {
		fmt.Fprintf(&b, "    problem       %s\n", plain(s.Problem))
		return b.String()
	}
	for _, c := range s.Clients {
		name := plain(c.Name)
		if name == "" {
			name = "(has called nothing yet)"
		}
		fmt.Fprintf(&b, "    client        %s, process %d, for %s\n", name, c.PID, span(now.Sub(c.Since)))
	}
	for _, one := range s.Sessions {
		fmt.Fprintf(&b, "    session       %s\n", one.text(now))
	}
	if len(s.Sessions) == 0 {
		b.WriteString("    no session is open\n")
	}
	return b.String()
}

func (s SessionStatus) text(now time.Time) string {
	fields := []string{plain(s.Name)}
	did := time.Duration(s.Seconds * float64(time.Second))
	if s.Running != "" {
		fields = append(fields, fmt.Sprintf("%s, %s since %s", s.State, s.Running, span(did)))
	} else {
		fields = append(fields, s.State+" for "+span(did))
	}
	if s.Queued > 0 {
		fields = append(fields, fmt.Sprintf("%d queued", s.Queued))
	}
	if s.Environment != "" {
		fields = append(fields, plain(s.Environment), fmt.Sprintf("generation %d", s.Generation), megabytes(s.Memory))
	}
	switch {
	case s.Clients > 0:
		fields = append(fields, fmt.Sprintf("used by %d", s.Clients))
	case s.Ends != nil:
		fields = append(fields, "ends in "+span(max(s.Ends.Sub(now), 0)))
	}
	return strings.Join(fields, " | ")
}

// Count is a number of things with their noun: "1 session", "2 sessions".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// plain is text without what could steer a terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// span is a time as precise as a person wants it.
func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}
