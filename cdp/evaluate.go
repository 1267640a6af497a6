package cdp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	proto "github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/runtime"
)

// evaluateTimeout ends an expression that runs for too long. V8 stops only the
// expression; the program runs on, even if it was interrupted in a busy loop.
const evaluateTimeout = time.Second

// JSError is an exception that an evaluated expression threw, or the reason of
// a rejected promise.
type JSError struct {
	Message string // such as "TypeError: x is not a function"
	Stack   string // where it was thrown, "" if what was thrown is not an Error
}

func (e *JSError) Error() string { return e.Message }

// Evaluate runs a JavaScript expression in the target and decodes its value
// into into, which may be nil. It works while the program's own JavaScript is
// in a loop, and runs for at most a second. require is there even in ES
// modules, but only until the expression returns; see [Builtins].
func (s *Session) Evaluate(ctx context.Context, expr string, into any) error {
	if err := s.boot(ctx); err != nil {
		return err
	}
	return s.evaluate(ctx, expr, true, into)
}

// EvaluateBare is Evaluate without require. It answers at any time, where
// Evaluate may first have to wait for a Node 18 to finish its startup: what V8
// offers as command line API it decides at the first evaluation that asks for
// it, and before startup is done that is without require for ever, or a deadlock.
func (s *Session) EvaluateBare(ctx context.Context, expr string, into any) error {
	return s.evaluate(ctx, expr, false, into)
}

func (s *Session) evaluate(ctx context.Context, expr string, api bool, into any) error {
	yes := true
	r, err := proto.Call(ctx, s, runtime.Evaluate, runtime.EvaluateParams{
		Expression:            expr,
		IncludeCommandLineAPI: &api,
		ReturnByValue:         &yes,
		Silent:                &yes,
		Timeout:               runtime.TimeDelta(evaluateTimeout.Milliseconds()),
	})
	if err != nil {
		return fmt.Errorf("evaluate: %w", err)
	}
	return decodeValue("evaluate", r.Result, r.ExceptionDetails, into)
}

// Await runs a JavaScript expression, which may use await and require, waits for
// the promise it gives, and decodes its value into into, which may be nil. The
// expression begins in a turn of the event loop, as the program's own callbacks
// do, and has no limit but ctx; what was started in the target is not stopped when
// ctx ends.
func (s *Session) Await(ctx context.Context, expr string, into any) error {
	if err := s.boot(ctx); err != nil {
		return fmt.Errorf("await: %w", err)
	}
	yes := true
	// The work begins in an immediate, at the request that waits for it. Where it
	// began in an evaluation, and a second request waited for it, Node 20's HTTP
	// client lost an answer and the work hung (6 runs of 6 of the fixture buffer
	// with 20 calls a round; none of 6 since; why is not known). The remote object
	// keeps the promise alive: Node 22 drops one that nobody else holds with
	// "Promise was collected". It has a handler from the start: a rejection without
	// one ends the program.
	r, err := proto.Call(ctx, s, runtime.Evaluate, runtime.EvaluateParams{
		Expression: Builtins("const { setImmediate: soon } = m('timers'), require = R;\n" +
			"return { run() { this.promise = (async () => { await new Promise((begin) => soon(begin)); return (" + expr + "\n); })();\n" +
			"this.promise.catch(() => {}); return this.promise; } };"),
		IncludeCommandLineAPI: &yes,
		Silent:                &yes,
	})
	if err != nil {
		return fmt.Errorf("await: %w", err)
	}
	if r.ExceptionDetails != nil || r.Result == nil || r.Result.ObjectID == "" {
		return decodeValue("await", r.Result, r.ExceptionDetails, into)
	}
	holder := r.Result.ObjectID
	defer s.post(runtime.ReleaseObject.Method, runtime.ReleaseObjectParams{ObjectID: holder})
	got, err := proto.Call(ctx, s, runtime.CallFunctionOn, runtime.CallFunctionOnParams{
		FunctionDeclaration: "function () { return this.run(); }",
		ObjectID:            holder,
		AwaitPromise:        &yes,
		ReturnByValue:       &yes,
		Silent:              &yes,
	})
	if err != nil {
		return fmt.Errorf("await: %w", err)
	}
	return decodeValue("await", got.Result, got.ExceptionDetails, into)
}

// Builtins makes an expression of a function body in which m("fs") gives a
// built-in module: in CommonJS, in ES modules and in workers, on every version,
// and in callbacks too.
func Builtins(body string) string {
	return `((R) => { const m = (n) =>
	(typeof process === 'object' && typeof process.getBuiltinModule === 'function') ? process.getBuiltinModule(n)
	: R ? R(n) : process.mainModule.require(n);
` + body + `
})(typeof require === 'function' ? require : undefined)`
}

func decodeValue(verb string, v *runtime.RemoteObject, thrown *runtime.ExceptionDetails, into any) error {
	if thrown != nil {
		return fmt.Errorf("%s: %w", verb, exception(thrown))
	}
	if into == nil || v == nil {
		return nil
	}
	if v.UnserializableValue != "" {
		return fmt.Errorf("%s: the value %s cannot be sent as JSON", verb, v.UnserializableValue)
	}
	if len(v.Value) == 0 {
		return nil // undefined
	}
	if err := jsonv2.Unmarshal(v.Value, into, jsonv2.AllowInvalidUTF8(true)); err != nil {
		return fmt.Errorf("%s: value: %w", verb, err)
	}
	return nil
}

func exception(d *runtime.ExceptionDetails) error {
	e := &JSError{Message: d.Text}
	if x := d.Exception; x != nil {
		switch {
		case x.Description != "":
			// "TypeError: message\n    at f (file:1:2)\n ..."
			message, stack, _ := strings.Cut(x.Description, "\n    at ")
			e.Message = message
			if stack != "" {
				e.Stack = "    at " + stack
			}
		case len(x.Value) > 0:
			e.Message = "thrown: " + string(x.Value)
		}
	}
	if e.Message == "" {
		return errors.New("an exception without a message")
	}
	return e
}
