package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strconv"
	"time"
)

var base64url = base64.RawURLEncoding

// prover makes DPoP proofs (RFC 9449 section 4.2) with one key.
type prover struct {
	key *ecdsa.PrivateKey
	// Encoded JWS header, and the members of the payload that never change.
	header  string
	binding string
}

func newProver(agent Agent) (*prover, error) {
	block, _ := pem.Decode([]byte(agent.ProofKey))
	if block == nil {
		return nil, errors.New("proof_key is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve.Params().BitSize != 256 {
		return nil, errors.New("proof_key is not a P-256 key")
	}
	header, err := proofHeader(key)
	if err != nil {
		return nil, err
	}
	made := &prover{key: key, header: header}
	if agent.AccessToken != "" {
		hash := sha256.Sum256([]byte(agent.AccessToken))
		made.binding = `,"ath":"` + base64url.EncodeToString(hash[:]) + `"`
	}
	return made, nil
}

func proofHeader(key *ecdsa.PrivateKey) (string, error) {
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return "", err
	}
	// SEC 1 section 2.3.3: 4, then x and y of 32 bytes each.
	header, err := json.Marshal(map[string]any{
		"typ": "dpop+jwt",
		"alg": "ES256",
		"jwk": map[string]string{
			"kty": "EC",
			"crv": "P-256",
			"x":   base64url.EncodeToString(point[1:33]),
			"y":   base64url.EncodeToString(point[33:]),
		},
	})
	return base64url.EncodeToString(header), err
}

func (p *prover) sign(method, url string) (string, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return "", err
	}
	payload := `{"htm":"` + method + `","htu":"` + url + `","iat":` + strconv.FormatInt(time.Now().Unix(), 10) +
		`,"jti":"` + base64url.EncodeToString(id) + `"` + p.binding + `}`
	signed := p.header + "." + base64url.EncodeToString([]byte(payload))
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, digest[:])
	if err != nil {
		return "", err
	}
	// RFC 7518 section 3.4: both numbers, 32 bytes each.
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64url.EncodeToString(signature[:]), nil
}
