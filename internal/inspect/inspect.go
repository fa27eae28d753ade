// Package inspect tells in words what tokens and Kerberos messages say to those
// who have no key: which mechanism, whose ticket for whom, under which kind of
// key, and how much. It shows no ciphertext and no key.
//
// Everything in a text that a peer has chosen, such as a name, is as the peer
// wrote it: who prints it must escape what could disturb a terminal.
package inspect

import (
	"fmt"
	"strings"
)

// Node is a part of a message and what it consists of.
type Node struct {
	Text string
	Sub  []Node
}

// Lines returns the text of n and, indented by two spaces for each level, of all
// below it.
func (n Node) Lines() []string { return n.appendLines(nil, "") }

func (n Node) appendLines(lines []string, indent string) []string {
	lines = append(lines, indent+n.Text)
	for _, sub := range n.Sub {
		lines = sub.appendLines(lines, indent+"  ")
	}
	return lines
}

// String returns the lines as one text.
func (n Node) String() string { return strings.Join(n.Lines(), "\n") }

func leaf(format string, args ...any) Node { return Node{Text: fmt.Sprintf(format, args...)} }

func (n *Node) add(sub ...Node) { n.Sub = append(n.Sub, sub...) }

// broken describes what cannot be read.
func broken(what string, b []byte, err error) Node {
	return leaf("%s, %d octets, malformed: %v", what, len(b), err)
}
