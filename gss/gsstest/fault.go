package gsstest

import (
	"context"

	"github.com/go-negotiate/negotiate/gss"
)

// Op is an operation of a [Provider].
type Op uint8

// The operations at which a [Fault] strikes.
const (
	OpAcquire Op = iota
	OpInitiate
	OpInitiateStep // Step of an initiator's context
	OpAccept
	OpAcceptStep // Step of an acceptor's context
)

// Fault is something that goes wrong. Fields that are zero do nothing, so that
// an empty Fault changes nothing.
type Fault struct {
	// Op is where it strikes.
	Op Op
	// Step is at which Step of a context it strikes, counted from 1; zero is
	// each.
	Step int
	// Times is how often it strikes; zero is without end.
	Times int
	// Do runs first and may wait, as [Block] does. Its error fails the operation.
	Do func(context.Context) error
	// Err fails the operation. One that is no *gss.Error is wrapped into one.
	Err error
	// Out is returned beside the error of a Step, as a token for the peer.
	Out []byte
	// Info changes what the context tells of itself from now on, whether it is
	// done or not: it makes a provider that breaks its contract.
	Info func(*gss.ContextInfo)
}

// Block waits until ctx ends. It is for Fault.Do.
func Block(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Inject adds a fault. Where several apply to one operation, the oldest strikes.
func (p *Provider) Inject(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.Times == 0 {
		f.Times = -1
	}
	p.faults = append(p.faults, &f)
}

// Heal removes all faults.
func (p *Provider) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// enter counts an operation and returns the fault that strikes it, or an empty
// one.
func (p *Provider) enter(op Op, step int, count func(*Counts)) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	count(&p.counts)
	for _, f := range p.faults {
		if f.Op != op || f.Step != 0 && f.Step != step || f.Times == 0 {
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		return *f
	}
	return Fault{}
}

// strike lets the fault happen. A context that has ended is a fault of its own.
func (f Fault) strike(ctx context.Context) error {
	if f.Do != nil {
		if err := f.Do(ctx); err != nil {
			return err
		}
	}
	if f.Err != nil {
		return f.Err
	}
	return ctx.Err()
}
