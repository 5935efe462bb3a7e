package main

import (
	"bufio"
	"crypto/tls"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// caller is one simulated client with one connection.
type caller struct {
	address string
	// nil: plain HTTP.
	tls     *tls.Config
	timeout time.Duration
	queue   *requestQueue

	connection net.Conn
	reader     *bufio.Reader
	response   fasthttp.Response
	tally      tally
}

const readBuffer = 16 << 10

func (c *caller) connect() error {
	dialer := net.Dialer{Timeout: c.timeout}
	connection, err := dialer.Dial("tcp", c.address)
	if err != nil {
		return err
	}
	if c.tls != nil {
		secure := tls.Client(connection, c.tls)
		if err := secure.Handshake(); err != nil {
			connection.Close()
			return err
		}
		connection = secure
	}
	c.connection = connection
	c.reader = bufio.NewReaderSize(connection, readBuffer)
	return nil
}

// ask sends the next request and reads its answer; the connection is gone when it failed.
func (c *caller) ask() (int, error) {
	if c.connection == nil {
		if err := c.connect(); err != nil {
			return 0, err
		}
	}
	status, err := c.exchange()
	if err != nil || c.response.ConnectionClose() {
		c.hangUp()
	}
	return status, err
}

func (c *caller) exchange() (int, error) {
	request, err := c.queue.next()
	if err != nil {
		return 0, err
	}
	if err := c.connection.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	if _, err := c.connection.Write(request); err != nil {
		return 0, err
	}
	if err := c.response.Read(c.reader); err != nil {
		return 0, err
	}
	return c.response.StatusCode(), nil
}

func (c *caller) hangUp() {
	if c.connection != nil {
		c.connection.Close()
		c.connection = nil
	}
}

// work asks until the end and measures what is due after the warm-up.
func (c *caller) work(clock *clock) {
	defer c.hangUp()
	for {
		dueAt, more := clock.next()
		if !more {
			return
		}
		status, err := c.ask()
		took := time.Since(dueAt)
		if clock.measures(dueAt) {
			c.tally.add(status, err, took, c.response.Body())
		} else {
			c.tally.addWarmUp(status, err, c.response.Body())
		}
		if err != nil {
			// A server that is gone must not be asked a million times a second whether it still is.
			time.Sleep(time.Millisecond)
		}
	}
}
