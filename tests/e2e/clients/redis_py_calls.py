# What a feature store and an LLM proxy's cache ask through redis-py; prints "ok" if all of it was as it should be.
import sys
import redis

port = int(sys.argv[1])
client = redis.Redis(port=port)
every_byte = bytes(range(256))

assert client.ping()
assert client.set("a", every_byte, ex=100) and client.get("a") == every_byte
assert client.get("nobody") is None
assert 0 < client.ttl("a") <= 100
assert client.info("server")["redis_mode"] == "standalone"
assert any(each["id"] == str(client.client_id()) for each in client.client_list())
assert client.config_get("maxclients") == {"maxclients": "10000"}
assert client.command_count() > 50
assert client.object("encoding", "a") == b"raw"

# Pipelines are transactions unless told otherwise.
with client.pipeline() as pipe:
    for i in range(100):
        pipe.set(f"p:{i}", i)
    pipe.incrby("p:7", 5).mget([f"p:{i}" for i in range(10)])
    replies = pipe.execute()
assert replies[:100] == [True] * 100 and replies[100] == 12 and replies[101][7] == b"12"

with client.pipeline() as pipe:
    pipe.set("text", "abc").incr("text").get("text")
    replies = pipe.execute(raise_on_error=False)
assert replies[0] is True and isinstance(replies[1], redis.ResponseError) and replies[2] == b"abc"

# Optimistic locking, as transaction() retries it.
other = redis.Redis(port=port)
client.set("n", 1)
tries = []


def add(pipe):
    value = int(pipe.get("n"))
    if not tries:
        other.set("n", 10)
    tries.append(value)
    pipe.multi()
    pipe.set("n", value + 1)


client.transaction(add, "n")
assert tries == [1, 10] and client.get("n") == b"11"

with client.pipeline(transaction=False) as pipe:
    for i in range(1000):
        pipe.get(f"p:{i}")
    assert len(pipe.execute()) == 1000

# An LLM proxy's cache: a lock, a batch of reads, a spend counter with its TTL, a walk, a hundred writes at once.
assert client.set("lock", "me", nx=True, ex=10) and client.set("lock", "you", nx=True, ex=10) is None
with client.pipeline() as pipe:
    pipe.incrbyfloat("spend:team", 0.25)
    pipe.expire("spend:team", 60)
    assert pipe.execute() == [0.25, True]
assert sum(1 for _ in client.scan_iter("p:*", count=50)) == 100
with client.pipeline(transaction=False) as pipe:
    for i in range(100):
        pipe.set(f"answer:{i}", every_byte * 20, ex=600)
    assert all(pipe.execute())
assert client.delete(*[f"answer:{i}" for i in range(100)]) == 100

# Hashes, and the time to live of fields where the library offers it.
assert client.hset("h", mapping={"a": 1, "b": b"zwei"}) == 2
assert client.hgetall("h") == {b"a": b"1", b"b": b"zwei"} and client.hgetall("nobody") == {}
assert client.hmget("h", ["a", "nobody", "b"]) == [b"1", None, b"zwei"]
assert client.hincrby("h", "a", 41) == 42 and client.hincrbyfloat("h", "f", 0.5) == 0.5
assert client.hsetnx("h", "a", 1) == 0 and client.hexists("h", "a") and client.hlen("h") == 3
assert dict(client.hscan_iter("h", match="[ab]")) == {b"a": b"42", b"b": b"zwei"}
assert sorted(client.hrandfield("h", 3)) == [b"a", b"b", b"f"]
if hasattr(client, "hexpire"):
    assert client.hexpire("h", 100, "a", "nobody") == [1, -2]
    assert client.httl("h", "a", "b") == [100, -1] and client.hpersist("h", "a") == [1]
assert client.hdel("h", "a", "b", "f") == 3 and not client.exists("h")
client.set("text", "x")
try:
    client.hget("text", "a")
    raise AssertionError("a string was taken for a hash")
except redis.ResponseError as error:
    assert str(error).startswith("WRONGTYPE")

# A feature store: rows of features with binary names and values are written in one pipeline, each with its end of
# life, and then many entities are read in one pipeline.
features = [b"\x02\x00view:" + bytes([i]) for i in range(94)]
with client.pipeline(transaction=False) as pipe:
    for entity in range(200):
        key = b"\x02user" + entity.to_bytes(4, "little")
        pipe.hset(key, mapping={name: bytes([entity]) + name for name in features})
        pipe.expire(key, 3600)
    assert pipe.execute() == [94, True] * 200
with client.pipeline(transaction=False) as pipe:
    for entity in range(201):
        pipe.hmget(b"\x02user" + entity.to_bytes(4, "little"), features[::-1] + [b"_ts:view"])
    rows = pipe.execute()
for entity in range(200):
    assert rows[entity] == [bytes([entity]) + name for name in features[::-1]] + [None]
assert rows[200] == [None] * 95
print("ok")
