package argo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// A when expression is written by anybody who may write CronWorkflows, and it is judged in the process that watches over all of
// them. Neither expr-lang nor Go can end one that takes too long. So only those are judged that cannot: they are short, they
// make few elements, nothing in them grows by more than it was written with, and there are no loops inside of loops.
const (
	// maxNodes is how many nodes an expression has at the most.
	maxNodes = 1000
	// maxElements is how many elements its arrays and maps have at the most, all together.
	maxElements = 5000
)

// judgedBuiltins are the built-in functions of expr-lang v1.17.7 without those that can multiply the size of a text or the
// time it takes (repeat, replace, join, reduce, uniq, groupBy, sortBy, flatten, concat, toPairs and the like). That now is
// among them is for the check only: the environment has its own.
var judgedBuiltins = strings.Fields(`
	now date duration timezone
	int float string abs ceil floor round max min sum mean median
	len type first last get take keys values reverse
	trim trimPrefix trimSuffix upper lower split hasPrefix hasSuffix indexOf lastIndexOf
	toJSON fromJSON toBase64 fromBase64
	all any none one filter map find findIndex findLast findLastIndex count`)

// judgeable says why an expression is not judged.
func judgeable(node *ast.Node) error {
	var l limits
	ast.Walk(node, &l)
	switch {
	case l.refused != "":
		return fmt.Errorf("expressions with %s are not judged", l.refused)
	case l.loops > 0 && l.json:
		return fmt.Errorf("expressions that loop and read labels or annotations are not judged")
	}
	return nil
}

type limits struct {
	refused string
	loops   int
	json    bool
}

func (l *limits) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.BuiltinNode:
		if !slices.Contains(judgedBuiltins, n.Name) {
			l.refused = n.Name + "()"
		}
	case *ast.VariableDeclaratorNode:
		l.refused = "let" // Argo takes the variable for a missing one
	case *ast.StringNode:
		if n.Value == "Local" { // now().Local(), timezone("Local"): of the process, not of the controller
			l.refused = "the local time of a process"
		}
		l.json = l.json || n.Value == "json"
	case *ast.PredicateNode:
		l.loops++
		var inner inLoop
		ast.Walk(&n.Node, &inner)
		if inner.refused != "" {
			l.refused = inner.refused + " inside of a loop"
		}
	}
}

// inLoop looks into what is evaluated for each element.
type inLoop struct{ refused string }

func (l *inLoop) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.PredicateNode:
		l.refused = "a loop"
	case *ast.BinaryNode:
		if n.Operator == "matches" {
			l.refused = "matches"
		}
	}
}

// missing is a variable of the expression that the environment does not have, by the rules of Argo's util/template
// (missingVarsInEnv): the left side of ?? and what stands before ?. may be missing.
func missing(node *ast.Node, env map[string]any) string {
	v := identifiers{env: env, guarded: map[ast.Node]bool{}}
	ast.Walk(node, &guards{v.guarded})
	ast.Walk(node, &v)
	return v.missing
}

type guards struct{ guarded map[ast.Node]bool }

func (g *guards) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		if n.Operator == "??" {
			ast.Walk(&n.Left, &members{g.guarded})
		}
	case *ast.MemberNode:
		if _, ok := n.Node.(*ast.MemberNode); ok && n.Optional {
			g.guarded[n.Node] = true
		}
	}
}

type members struct{ found map[ast.Node]bool }

func (m *members) Visit(node *ast.Node) {
	if _, ok := (*node).(*ast.MemberNode); ok {
		m.found[*node] = true
	}
}

type identifiers struct {
	env     map[string]any
	guarded map[ast.Node]bool
	missing string
}

func (v *identifiers) Visit(node *ast.Node) {
	if v.guarded[*node] {
		return
	}
	var path []string
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		path = []string{n.Value}
	case *ast.MemberNode:
		path = memberPath(n)
	}
	if len(path) > 0 && !has(v.env, path) && v.missing == "" {
		v.missing = strings.Join(path, ".")
	}
}

// memberPath is a.b.c; nil for a member of anything else than a variable.
func memberPath(n *ast.MemberNode) []string {
	property, ok := n.Property.(*ast.StringNode)
	if !ok || n.Optional {
		return nil
	}
	switch of := n.Node.(type) {
	case *ast.IdentifierNode:
		return []string{of.Value, property.Value}
	case *ast.MemberNode:
		if path := memberPath(of); path != nil {
			return append(path, property.Value)
		}
	}
	return nil
}

// has follows a path through the environment.
func has(env map[string]any, path []string) bool {
	value, ok := env[path[0]]
	if !ok || len(path) == 1 {
		return ok
	}
	if inner, isMap := value.(map[string]any); isMap {
		return has(inner, path[1:])
	}
	return false
}
