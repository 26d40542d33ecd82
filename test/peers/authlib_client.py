# Python Authlib as a relying party, as its documentation says. Talks to run.ts by lines: prints the authorization address,
# reads the address at which the browser arrived, prints what came of it as JSON.

import json
import os
import socket
import sys

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oidc.core import CodeIDToken

# RFC 6761 section 6.3: *.localhost is this machine; the C library of many systems does not know.
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *more, **named: resolve("127.0.0.1" if str(host).endswith(".localhost") else host, *more, **named)

issuer, client_id, secret, redirect_uri, method = sys.argv[1:]
metadata = requests.get(issuer + "/.well-known/openid-configuration", timeout=10).json()
session = OAuth2Session(client_id, secret, scope="openid email profile", redirect_uri=redirect_uri, code_challenge_method="S256", token_endpoint_auth_method=method, revocation_endpoint_auth_method=method)
verifier, nonce = generate_token(48), generate_token(20)
url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
print(url, flush=True)

arrived = sys.stdin.readline().strip()
token = dict(session.fetch_token(metadata["token_endpoint"], authorization_response=arrived, state=state, code_verifier=verifier))
keys = JsonWebKey.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())
claims = JsonWebToken(["RS256"]).decode(
    token["id_token"],
    keys,
    claims_cls=CodeIDToken,
    claims_options={"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}},
    claims_params={"nonce": nonce, "client_id": client_id, "access_token": token["access_token"]},
)
claims.validate()
userinfo = session.get(metadata["userinfo_endpoint"]).json()
refreshed = dict(session.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"]))
active = session.introspect_token(metadata["introspection_endpoint"], token=refreshed["access_token"]).json()["active"]
session.revoke_token(metadata["revocation_endpoint"], token=refreshed["refresh_token"])
dead = session.introspect_token(metadata["introspection_endpoint"], token=refreshed["access_token"]).json()["active"]
print(json.dumps({"sub": claims["sub"], "userinfo": userinfo, "isNew": refreshed["access_token"] != token["access_token"], "active": active, "dead": dead}), flush=True)
