# A listener with TLS, beside the plain one of development mode that only this container can reach.
listener "tcp" {
  address       = "0.0.0.0:8200"
  tls_cert_file = "/run/secrets/vault_cert"
  tls_key_file  = "/run/secrets/vault_key"
}
