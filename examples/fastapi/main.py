"""The FastAPI tutorial's application, with no password and no token making of its own: Wardgate does both."""

import os
from collections.abc import Callable
from typing import Annotated, Any

import httpx
import jwt
from fastapi import Depends, FastAPI, HTTPException, status
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel

# Exactly what the tokens carry in `iss`, and where Wardgate answers.
ISSUER = os.environ.get("WARDGATE_ISSUER", "http://127.0.0.1:8080")
# `tokens.audience` of Wardgate: the issuer, if it is not set there.
AUDIENCE = os.environ.get("WARDGATE_AUDIENCE", ISSUER)
# How far the clocks of the two machines may be apart.
LEEWAY_SECONDS = float(os.environ.get("TOKEN_LEEWAY_SECONDS", "10"))

app = FastAPI(title="Items")
oauth2_scheme = OAuth2PasswordBearer(tokenUrl=f"{ISSUER}/auth/login")
keys = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json", timeout=5)
wardgate = httpx.Client(base_url=ISSUER, timeout=5)


class User(BaseModel):
    """Who a token was made for, as far as the token tells."""

    id: str
    tenant: str
    roles: list[str]


def decode(token: str) -> dict[str, Any]:
    """The claims of an access token made by our Wardgate, for us, that has not ended.

    Raises a subclass of `jwt.PyJWTError` that says why for any other.
    """
    key = keys.get_signing_key_from_jwt(token)
    decoded = jwt.decode_complete(
        token,
        key,
        algorithms=["EdDSA"],
        issuer=ISSUER,
        audience=AUDIENCE,
        leeway=LEEWAY_SECONDS,
        # `iat` tells when, not whether: a token is good from its making to its `exp`.
        options={"require": ["iss", "aud", "exp", "sub"], "verify_iat": False},
    )
    # A token of another kind by the same issuer must not open anything here (RFC 9068 section 4).
    if decoded["header"].get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("not an access token")
    return decoded["payload"]


def unauthorized() -> HTTPException:
    return HTTPException(
        status.HTTP_401_UNAUTHORIZED,
        detail="Could not validate credentials",
        headers={"WWW-Authenticate": "Bearer"},
    )


def unavailable() -> HTTPException:
    return HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, detail="The authentication server does not answer")


# Plain `def`: FastAPI runs these in threads, so fetching keys stops no other request.
def get_current_user(token: Annotated[str, Depends(oauth2_scheme)]) -> User:
    """The user of the presented token, checked without asking Wardgate: fast, and as old as the token."""
    try:
        claims = decode(token)
    except jwt.PyJWKClientConnectionError as error:
        raise unavailable() from error
    except jwt.PyJWTError as error:
        raise unauthorized() from error
    return User(id=claims["sub"], tenant=claims["tenant"], roles=claims["roles"])


CurrentUser = Annotated[User, Depends(get_current_user)]


def get_live_user(user: CurrentUser, token: Annotated[str, Depends(oauth2_scheme)]) -> dict[str, Any]:
    """The user as Wardgate knows them at this moment: refused as soon as they log out or are disabled."""
    try:
        answer = wardgate.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
    except httpx.HTTPError as error:
        raise unavailable() from error
    if answer.status_code == status.HTTP_200_OK:
        return answer.json()
    if answer.status_code == status.HTTP_400_BAD_REQUEST:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, detail="Inactive user")
    raise unauthorized() if answer.status_code == status.HTTP_401_UNAUTHORIZED else unavailable()


def require_role(role: str) -> Callable[[User], User]:
    """A dependency that lets users through who had the role when their token was made."""

    def check(user: CurrentUser) -> User:
        if role not in user.roles:
            raise HTTPException(status.HTTP_403_FORBIDDEN, detail="Insufficient permissions")
        return user

    return check


@app.get("/users/me")
def read_users_me(user: CurrentUser) -> User:
    return user


@app.get("/users/me/items")
def read_own_items(user: CurrentUser) -> list[dict[str, str]]:
    return [{"item_id": "Foo", "owner": user.id}]


@app.get("/users/me/profile")
def read_own_profile(user: Annotated[dict[str, Any], Depends(get_live_user)]) -> dict[str, Any]:
    return {"email": user["email"], "name": user["name"]}


@app.get("/admin/report", dependencies=[Depends(require_role("admin"))])
def read_report() -> dict[str, str]:
    return {"report": "for administrators"}
