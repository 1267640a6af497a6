package leak

import (
	"fmt"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

var socketRule = Rule{
	Name:  "socket",
	Title: "Connections are opened and never closed",
	Cause: "A connection is made for every request or tenant and not ended; a response is never read to its end, so that " +
		"its connection cannot be used again; or a server never ends some of its responses.",
	Sign: "Survivors have open TCP, TLS, pipe or UDP handles of every round, which only V8's global handles hold.",
	Fix: "end() or destroy() the connection when the answer is there, or use one pool with a maximum. Read every response to " +
		"its end, or call resume() or destroy() on it. End every response, also when something fails; set timeouts.",
	Before: `function ask(question) {
  const socket = net.connect(PORT, HOST);
  socket.write(question);
  return once(socket, 'data');                         // and the socket stays open
}`,
	After: `async function ask(question) {
  const socket = net.connect(PORT, HOST);
  try {
    socket.write(question);
    return await once(socket, 'data');
  } finally {
    socket.destroy();
  }
}`,
	Links: []string{
		"https://nodejs.org/api/net.html#socketdestroyerror",
		"https://nodejs.org/api/http.html#class-httpclientrequest",
	},
	explain: explainSocket,
}

// The ends of a connection, both of which may be in one process.
const (
	endMade     = "made"
	endAccepted = "accepted"
)

func explainSocket(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	f, handles := p.leadingFamily(g, holder)
	if f == nil || f.rule != "socket" {
		return nil
	}
	c := p.handleClaim(holder, f, handles)
	c.fix = fmt.Sprintf("Close each of the %s when its work is done (end, destroy, close), also when something fails; or keep a fixed number of them.", f.many)
	if f.one != "connection" {
		p.madeBy(c, ownersOf(handles), f.api, "opens it")
		return c
	}
	var made, accepted, unended, unread []heapsnap.Node
	for _, h := range handles {
		socket := p.outerSocket(h.owner)
		message := p.s.Property(socket, "_httpMessage")
		switch server := p.s.Property(socket, "server"); {
		case server != heapsnap.NoNode && p.s.Type(server) == heapsnap.Object:
			accepted = append(accepted, socket)
			if message != heapsnap.NoNode && p.isFalse(message, "finished") {
				unended = append(unended, message)
			}
		default:
			made = append(made, socket)
			if message != heapsnap.NoNode && p.s.Type(message) == heapsnap.Object {
				if res := p.s.Property(message, "res"); res != heapsnap.NoNode && p.isFalse(res, "complete") {
					unread = append(unread, res)
				}
			}
		}
	}
	switch {
	case 2*len(unended) >= len(accepted) && len(unended) > 0:
		c.title = "responses are begun and never ended"
		c.entries, c.unit = p.count(unended), "responses"
		c.identity = []string{"responses"}
		c.survivor = unended[len(unended)*3/4]
		p.acceptedBy(c, accepted)
		if text := p.requestText(unended[len(unended)-1]); text != "" {
			c.sample = append(c.sample, text)
		}
		c.fix = "Call end() or destroy() on every response, also when something fails or the client has gone; give the server a requestTimeout and the work a deadline."
	case len(made) > 0:
		c.entries, c.end = p.count(made), endMade
		if 2*len(unread) >= len(made) {
			c.title = "responses are asked for and never read"
			c.entries, c.unit = p.count(unread), "responses"
			c.identity = []string{"unread"}
			c.fix = "Read every response to its end, or call resume() or destroy() on it: a connection whose response is not read is not free for the next request and never closed."
		}
		p.madeBy(c, made, f.api, "opens it")
		for i := len(made) - 1; i >= 0 && len(c.sample) < 3; i-- {
			if text := p.destination(made[i]); text != "" {
				c.sample = append(c.sample, text)
			}
		}
	default:
		c.title, c.end = "connections are accepted and never closed", endAccepted
		p.acceptedBy(c, accepted)
		c.fix = "End each connection when its work is done, and set a timeout for idle ones (socket.setTimeout, server.keepAliveTimeout)."
	}
	return c
}

// outerSocket is the socket that programs know: one of TLS stands before that
// of TCP.
func (p *Pass) outerSocket(socket heapsnap.Node) heapsnap.Node {
	for from, e := range p.s.Retainers(socket) {
		if p.s.EdgeType(e) == heapsnap.PropertyEdge && p.s.EdgeName(e) == "_parent" {
			return from
		}
	}
	return socket
}

// acceptedBy adds the lines of the servers' own listeners, and of what hangs on
// the sockets.
func (p *Pass) acceptedBy(c *claim, sockets []heapsnap.Node) {
	var handlers []heapsnap.Node
	seen := map[heapsnap.Node]bool{}
	for _, socket := range sockets {
		server := p.s.Property(socket, "server")
		if server == heapsnap.NoNode || seen[server] {
			continue
		}
		seen[server] = true
		events := p.s.Property(server, "_events")
		if events == heapsnap.NoNode {
			continue
		}
		for _, event := range []string{"request", "connection", "secureConnection", "upgrade", "connect"} {
			listener := p.s.Property(events, event)
			if listener == heapsnap.NoNode {
				continue
			}
			handlers = append(handlers, listener)
			for e := range p.s.Edges(listener) {
				if p.s.EdgeType(e) == heapsnap.ElementEdge {
					handlers = append(handlers, p.s.To(e))
				}
			}
		}
	}
	for _, pl := range p.places(p.closures(handlers), "handles the connection") {
		c.where = append(c.where, pl.Location)
	}
	hanging := p.hanging(sockets)
	const most = 4
	for _, pl := range hanging[:min(len(hanging), most)] {
		c.where = append(c.where, pl.Location)
	}
	c.where = p.compact(c.where)
	if len(c.where) > 0 {
		c.identity = append(c.identity, shortScript(c.where[0].File), c.where[0].Function)
	}
}

// destination says where a socket goes: "GET http://host/path" or "host".
func (p *Pass) destination(socket heapsnap.Node) string {
	if message := p.s.Property(socket, "_httpMessage"); message != heapsnap.NoNode && p.s.Type(message) == heapsnap.Object {
		if text := p.requestText(message); text != "" {
			return text
		}
	}
	if host := p.textOf(socket, "_host"); host != "" {
		return "to " + host
	}
	return ""
}

// requestText is "GET host /path" of a ClientRequest, or of what a
// ServerResponse answers.
func (p *Pass) requestText(message heapsnap.Node) string {
	if req := p.s.Property(message, "req"); req != heapsnap.NoNode && p.s.Type(req) == heapsnap.Object {
		if url := p.textOf(req, "url"); url != "" {
			return p.textOf(req, "method") + " " + url
		}
	}
	if path := p.textOf(message, "path"); path != "" {
		return p.textOf(message, "method") + " " + p.textOf(message, "host") + path
	}
	return ""
}

// textOf returns a string property, or "".
func (p *Pass) textOf(n heapsnap.Node, name string) string {
	to := p.s.Property(n, name)
	if to == heapsnap.NoNode || !p.s.Type(to).IsString() {
		return ""
	}
	return p.s.Name(to)
}

// isFalse reports whether a property is false. Node 18 and 20 call true, false,
// null and undefined all "system / Oddball"; of these false is the one before
// the empty string, as in V8's list of roots (src/roots/roots.h), in whose
// order they are numbered.
func (p *Pass) isFalse(n heapsnap.Node, name string) bool {
	to := p.s.Property(n, name)
	if to == heapsnap.NoNode {
		return false
	}
	if p.s.RawName(to) != "system / Oddball" {
		return p.s.RawName(to) == "false"
	}
	next, ok := p.s.Find(p.s.ID(to) + 2)
	return ok && p.s.Type(next) == heapsnap.String && p.s.RawName(next) == ""
}
