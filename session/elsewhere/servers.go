package elsewhere

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway"
)

// Default is the name of the server that JUPYTER_SERVER_URL gives.
const Default = "jupyter"

// Servers are the servers of the settings. The zero value has none. It is immutable.
type Servers struct {
	all   []named
	files []string // connection files
}

type named struct {
	name   string
	server *gateway.Server
	err    error
}

// Address is one server as the settings give it.
type Address struct {
	Name, URL, Token string
	CA               []byte // PEM
	Err              error  // why there is no CA, for https
}

// New keeps what can be used of the addresses; what is wrong with one is told when it
// is asked for.
func New(addresses []Address) *Servers {
	s := &Servers{}
	for _, a := range addresses {
		server, err := gateway.New(gateway.Options{URL: a.URL, Token: a.Token, CA: a.CA})
		if a.Err != nil && strings.HasPrefix(a.URL, "https:") {
			err = a.Err
		}
		s.all = append(s.all, named{a.Name, server, err})
	}
	return s
}

// Names lists the servers in the order of the settings.
func (s *Servers) Names() []string {
	names := make([]string, len(s.all))
	for i, n := range s.all {
		names[i] = n.name
	}
	return names
}

// Find returns the server of that name.
func (s *Servers) Find(name string) (*gateway.Server, error) {
	i := slices.IndexFunc(s.all, func(n named) bool { return n.name == name })
	if i < 0 {
		return nil, &UnknownError{Name: name, Known: s.Names()}
	}
	if err := s.all[i].err; err != nil {
		return nil, fmt.Errorf("the Jupyter server %q cannot be used: %w", name, err)
	}
	return s.all[i].server, nil
}

// UnknownError names a server that the settings do not.
type UnknownError struct {
	Name  string
	Known []string
}

func (e *UnknownError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("no Jupyter server %q: none is set. A person sets JUPYTER_SERVER_URL, and JUPYTER_TOKEN, or JUPYTER_SERVERS", e.Name)
	}
	return fmt.Sprintf("no Jupyter server %q: the settings name %s", e.Name, strings.Join(e.Known, ", "))
}

// There is what a server has. Of a gateway that lists no kernels none are known.
type There struct {
	Name        string
	Kernelspecs []gateway.Kernelspec
	Running     []gateway.Running
	Err         error
}

// Look asks all servers at once what they have.
func (s *Servers) Look(ctx context.Context) []There {
	all := make([]There, len(s.all))
	var wg sync.WaitGroup
	for i, n := range s.all {
		wg.Go(func() {
			there := There{Name: n.name, Err: n.err}
			if n.err == nil {
				there.Kernelspecs, there.Err = n.server.Kernelspecs(ctx)
			}
			if there.Err == nil {
				if there.Running, there.Err = n.server.Kernels(ctx); gateway.Refused(there.Err) {
					there.Err = nil // the same token was good for the kernelspecs
				}
			}
			all[i] = there
		})
	}
	wg.Wait()
	return all
}

// CheckURL judges a server's address as [New] does. The error does not repeat it.
func CheckURL(url string) error {
	_, err := gateway.New(gateway.Options{URL: url})
	return err
}
