package leaktest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// Lacking returns the tests of a file whose first statement does not call a
// function LeavesNothing or leavesNothing, of whatever package. TestMain is none.
func Lacking(path string) (tests []string, err error) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && isTest(fn) && !leavesNothing(fn) {
			tests = append(tests, fn.Name.Name)
		}
	}
	return tests, nil
}

func isTest(fn *ast.FuncDecl) bool {
	return fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain"
}

// leavesNothing reports whether fn begins with the call.
func leavesNothing(fn *ast.FuncDecl) bool {
	if len(fn.Body.List) == 0 {
		return false
	}
	s, ok := fn.Body.List[0].(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := s.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	const name = "leavesNothing"
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return strings.EqualFold(f.Name, name)
	case *ast.SelectorExpr:
		return strings.EqualFold(f.Sel.Name, name)
	}
	return false
}
