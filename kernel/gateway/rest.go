package gateway

import (
	"context"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Kernelspec is a kind of kernel that a server can start.
type Kernelspec struct {
	Name        string
	DisplayName string
	Language    string
	Default     bool
}

// Kernelspecs lists what the server can start, by name.
func (s *Server) Kernelspecs(ctx context.Context) ([]Kernelspec, error) {
	var answer struct {
		Default     string `json:"default"`
		Kernelspecs map[string]struct {
			Spec struct {
				DisplayName string `json:"display_name"`
				Language    string `json:"language"`
			} `json:"spec"`
		} `json:"kernelspecs"`
	}
	if err := s.do(ctx, "listing kernelspecs", http.MethodGet, "/api/kernelspecs", nil, &answer); err != nil {
		return nil, err
	}
	specs := make([]Kernelspec, 0, len(answer.Kernelspecs))
	for name, k := range answer.Kernelspecs {
		specs = append(specs, Kernelspec{name, k.Spec.DisplayName, k.Spec.Language, name == answer.Default})
	}
	sort.Slice(specs, func(i, j int) bool { return specs[i].Name < specs[j].Name })
	return specs, nil
}

// Running is a kernel that runs on a server.
type Running struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	State        string    `json:"execution_state"` // what the server believes
	LastActivity time.Time `json:"last_activity"`
	Connections  int       `json:"connections"`
}

// Kernels lists the kernels that run on the server.
func (s *Server) Kernels(ctx context.Context) (all []Running, err error) {
	err = s.do(ctx, "listing kernels", http.MethodGet, "/api/kernels", nil, &all)
	return all, err
}

func (s *Server) get(ctx context.Context, id string) (k Running, err error) {
	err = s.do(ctx, "asking for kernel "+id, http.MethodGet, kernelPath(id, ""), nil, &k)
	return k, err
}

// Has reports whether the server has a kernel of that id.
func (s *Server) Has(ctx context.Context, id string) (bool, error) {
	if _, err := s.get(ctx, id); !NotFound(err) {
		return err == nil, err
	}
	return false, nil
}

// find is get for a kernel that a person or a model names: where there is none, the
// error says what runs there.
func (s *Server) find(ctx context.Context, id string) (Running, error) {
	k, err := s.get(ctx, id)
	if !NotFound(err) {
		return k, err
	}
	all, listing := s.Kernels(ctx)
	if listing != nil { // gateways list none by default
		return k, err
	}
	reason := "no kernel runs there"
	if len(all) > 0 {
		reason = "it has no such kernel; it runs"
		for _, k := range all[:min(len(all), maxNamed)] {
			reason += " " + k.ID
		}
	}
	return k, &Error{Doing: "looking for kernel " + strconv.Quote(id), Server: s.String(), Reason: reason}
}

// maxNamed bounds how many kernels an error names.
const maxNamed = 5

func (s *Server) interrupt(ctx context.Context, id string) error {
	return s.do(ctx, "interrupting kernel "+id, http.MethodPost, kernelPath(id, "/interrupt"), struct{}{}, nil)
}

func (s *Server) delete(ctx context.Context, id string) error {
	return s.do(ctx, "ending kernel "+id, http.MethodDelete, kernelPath(id, ""), nil, nil)
}

func kernelPath(id, rest string) string { return "/api/kernels/" + url.PathEscape(id) + rest }

// Check reports whether the server can give the kernel that is wanted, and returns
// the name of its kernelspec. It starts nothing.
func (s *Server) Check(ctx context.Context, kernelspec, id string) (name string, err error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	if id != "" {
		k, err := s.find(ctx, id)
		return k.Name, err
	}
	specs, err := s.Kernelspecs(ctx)
	if err != nil {
		return "", err
	}
	var known []string
	for _, k := range specs {
		if k.Name == kernelspec || kernelspec == "" && k.Default {
			return k.Name, nil
		}
		known = append(known, k.Name)
	}
	return "", &Error{Doing: "looking for kernelspec " + strconv.Quote(kernelspec), Server: s.String(), Reason: "it has " + strings.Join(known, ", ")}
}
