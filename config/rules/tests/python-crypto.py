import hashlib
import random
import secrets
import ssl

import aiohttp
import jwt
import paramiko
import requests
from Crypto.Cipher import AES, ARC4, DES
from cryptography.hazmat.primitives.ciphers import algorithms, modes


def digests(password, content):
    # ruleid: python.crypto.password-digest, python.crypto.weak-digest
    first = hashlib.md5(password.encode()).hexdigest()
    # ruleid: python.crypto.password-digest
    second = hashlib.sha256(("salt" + password).encode())
    # ruleid: python.crypto.weak-digest
    third = hashlib.sha1(content)
    # ruleid: python.crypto.weak-digest
    fourth = hashlib.new("md5", content)
    # ok: python.crypto.weak-digest
    fifth = hashlib.md5(content, usedforsecurity=False)
    # ok: python.crypto.password-digest, python.crypto.weak-digest
    sixth = hashlib.sha256(content)
    # ok: python.crypto.password-digest
    seventh = hashlib.scrypt(password, salt=b"x", n=2, r=8, p=1)
    return first, second, third, fourth, fifth, sixth, seventh


def ciphers(key, cipher):
    # ruleid: python.crypto.weak-cipher
    DES.new(key, DES.MODE_CBC)
    # ruleid: python.crypto.weak-cipher
    ARC4.new(key)
    # ruleid: python.crypto.weak-cipher
    AES.new(key, AES.MODE_ECB)
    # ruleid: python.crypto.weak-cipher
    cipher(algorithms.AES(key), modes.ECB())
    # ruleid: python.crypto.weak-cipher
    cipher(algorithms.TripleDES(key), modes.CBC(key))
    # ok: python.crypto.weak-cipher
    AES.new(key, AES.MODE_GCM)


def tokens(session):
    # ruleid: python.crypto.random-token
    token = "".join(random.choice("abc") for _ in range(9))
    # ruleid: python.crypto.random-token
    session["reset_token"] = random.randint(0, 99)
    # ok: python.crypto.random-token
    colour = random.choice(["red", "blue"])
    # ok: python.crypto.random-token
    api_key = secrets.token_urlsafe()
    return token, colour, api_key


# ruleid: python.crypto.hard-coded-key
SECRET_KEY = "b7Vd0qWmX2cK9"
# ok: python.crypto.hard-coded-key
PASSWORD = "changeme-123456"
# ok: python.crypto.hard-coded-key
TOKEN_PATH = "b7Vd0qWmX2cK9"
# ok: python.crypto.hard-coded-key
API_KEY = "NAME_OF_VARIABLE_1"


def configure(app, connect, options):
    # ruleid: python.crypto.hard-coded-key
    app.secret_key = "b7Vd0qWmX2cK9"
    # ruleid: python.crypto.hard-coded-key
    app.config["SECRET_KEY"] = "b7Vd0qWmX2cK9"
    # ruleid: python.crypto.hard-coded-key
    connect(user="shop", password="b7Vd0qWmX2cK9")
    # ok: python.crypto.hard-coded-key
    connect(user="shop", password=options.password)


def transport(session, context):
    # ruleid: python.crypto.tls-verify-off
    requests.get("https://supplier.invalid", verify=False)
    # ruleid: python.crypto.tls-verify-off
    session.verify = False
    # ruleid: python.crypto.tls-verify-off
    aiohttp.TCPConnector(ssl=False)
    # ruleid: python.crypto.tls-verify-off
    ssl._create_unverified_context()
    # ruleid: python.crypto.tls-verify-off
    context.verify_mode = ssl.CERT_NONE
    # ok: python.crypto.tls-verify-off
    requests.get("https://supplier.invalid", verify="/etc/ca.pem")
    # ruleid: python.crypto.tls-old-version
    ssl.SSLContext(ssl.PROTOCOL_TLSv1)
    # ruleid: python.crypto.tls-old-version
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    # ok: python.crypto.tls-old-version
    context.minimum_version = ssl.TLSVersion.TLSv1_2


def web_tokens(token, key):
    # ruleid: python.crypto.jwt-unverified
    jwt.decode(token, options={"verify_signature": False})
    # ruleid: python.crypto.jwt-unverified
    jwt.decode(token, key, algorithms=["HS256", "none"])
    # ruleid: python.crypto.jwt-unverified
    jwt.encode({"sub": "alice"}, key, algorithm="none")
    # ok: python.crypto.jwt-unverified
    jwt.decode(token, key, algorithms=["HS256"])


def ssh():
    client = paramiko.SSHClient()
    # ruleid: python.crypto.paramiko-accept-any-host
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    # ok: python.crypto.paramiko-accept-any-host
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
