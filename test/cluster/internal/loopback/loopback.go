// Package loopback hands out ports and certificates for servers on 127.0.0.1.
// It must not know what serves there.
package loopback

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"time"
)

// Host is the only address anything here listens on.
const Host = "127.0.0.1"

// Ports come from below the range out of which Linux picks the ports of
// outgoing connections. A port inside that range can be taken while its server
// is down, even by a client that dials it: a TCP connection to itself.
const lowestPort, highestPort = 20000, 31999

// FreePorts returns n different ports on which nothing listens.
func FreePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range 1000 {
		if len(ports) == n {
			return ports, nil
		}
		port := lowestPort + mathrand.IntN(highestPort-lowestPort+1)
		l, err := net.Listen("tcp", Addr(port))
		if err != nil {
			continue
		}
		defer l.Close() // held until all are found, so that they differ
		ports = append(ports, port)
	}
	if len(ports) == n {
		return ports, nil
	}
	return nil, fmt.Errorf("found only %d of %d free ports between %d and %d", len(ports), n, lowestPort, highestPort)
}

// Addr is port on Host, as net.Listen takes it.
func Addr(port int) string { return fmt.Sprintf("%s:%d", Host, port) }

// Certificate makes a self-signed certificate for Host, and for more addresses
// and names, that is valid for a day and is its own authority. Both are PEM.
func Certificate(name string, more ...string) (cert, key []byte, err error) {
	priv, keyPEM, err := Key()
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	tmpl := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		IPAddresses:           []net.IP{net.ParseIP(Host)},
	}
	for _, m := range more {
		if ip := net.ParseIP(m); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, m)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &priv.PublicKey, priv)
	if err != nil {
		return nil, nil, fmt.Errorf("self-sign a certificate for %s: %w", name, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), keyPEM, nil
}

// Key makes a private key, also as PEM.
func Key() (*ecdsa.PrivateKey, []byte, error) {
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate a key: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(priv)
	if err != nil {
		return nil, nil, fmt.Errorf("encode a key: %w", err)
	}
	return priv, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}
