"""What a Redis server does as one act. ``stores.redis`` runs these, and ``redis_page_scripts``.

A row is the generation it was made in and the bytes of ``core.record``. Those begin with format,
key and version, and MessagePack tells an integer's length in its first byte: so equal beginnings
are equal versions, and no script parses a row to compare them. At its end is the stamp of the one
write that made it, which means nothing to a script. A row of another generation than the
current one is as if it were not there. Scripts take and return rows without their generation. The
one that makes a row where there is no generation begins a new one: a server that lost it has ended
everybody, and revives nobody.

A generation is a count in four bytes and a random rest. The last argument of every script is the
newest one that the caller has seen. The server's own must be that or have a higher count; else the
server lost what came after, as by a crash, and it is as if it had none.

The two that end other sessions than the one they are about begin by looking at the clock, and do
nothing when they are late (``server_clock``): the last argument but one is the server's time, in
microseconds, until when they are wanted.

The scripts that look at a user's other sessions find their names in
the index, so they cannot declare those keys: this grammar is for one server, not for a cluster.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from sessile.core.record import FORMAT
from sessile.stores.contract import HEAD_BYTES, MOST_ENDED, UNCLAIMED_TTL
from sessile.stores.excess import MOST_DEAD
from sessile.wire.commands.repeat import Repeat, Repeated
from sessile.wire.redis.endpoint import ErrorReply, Words


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and the digest under which the server keeps it.

    Args:
        what: its name in traces.
        text: in Lua.
        repeat: whether it is sent once more after its connection was given up.
        is_change: replicas are to have what it did, where the URL asks for that.
    """

    what: str
    text: str
    repeat: Repeat = Repeat.NEVER
    is_change: bool = True
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", sha)


async def run_script(
    ask: Callable[..., Awaitable[Any]],
    script: Script,
    keys: tuple[str, ...],
    words: Words,
    *,
    acks: int,
    what: str | None = None,
) -> Any:
    """Run a script by its digest; a server that does not know it is handed the text, once.

    Args:
        ask: as ``RedisClient.ask``.
        script: which.
        keys: that it takes.
        words: its other arguments.
        acks: replicas that have to have what it changed.
        what: its name in traces; None is the script's own.
    """
    rest = (len(keys), *keys, *words)
    name = script.what if what is None else what
    send = partial(ask, name, repeat=script.repeat, is_change=script.is_change)
    if script.is_change and acks:  # a refusal would be waited for, too
        return await send("EVAL", script.text, *rest)
    reply = await send("EVALSHA", script.sha, *rest)
    is_repeated = isinstance(reply, Repeated)
    if (reply.reply if is_repeated else reply) is ErrorReply.NO_SCRIPT:
        reply = await send("EVAL", script.text, *rest)
        if is_repeated and not isinstance(reply, Repeated):
            reply = Repeated(reply)
    return reply


_COUNT: Final = """
local function count(generation)
  return #generation < 4 and 0 or (struct.unpack('>I4', generation))
end

local function following(one, other, fresh)
  local last = math.max(count(one or ''), count(other))
  assert(last < 4294967295, 'no generation can follow: delete the key, restart the application')
  return struct.pack('>I4', last + 1) .. fresh
end
"""

GENERATION: Final = (
    _COUNT
    + """
local stored, seen = redis.call('GET', KEYS[2]), ARGV[#ARGV]
local generation = stored
if stored and stored ~= seen and count(stored) <= count(seen) then generation = false end

-- What a row holds; nothing where it is none of this generation. An error stays what it is.
local function current(row)
  if type(row) ~= 'string' then return row end
  if not generation or string.sub(row, 1, #generation) ~= generation then return false end
  return string.sub(row, #generation + 1)
end
"""
)

_ENTER: Final = """
-- Enter a session into an index, as the latest; the index lives as long as its sessions may.
local function enter(index, name, left)
  local last = redis.call('ZRANGE', index, -1, -1, 'WITHSCORES')[2] or 0
  redis.call('ZADD', index, last + 1, name)
  if redis.call('PTTL', index) < tonumber(left) then redis.call('PEXPIRE', index, left) end
end
"""

_NUMBERS: Final = f"""
local head_bytes, most_dead, most_ended = {HEAD_BYTES}, {MOST_DEAD}, {MOST_ENDED}
local unclaimed_ttl = {UNCLAIMED_TTL}
"""

IN_TIME: Final = """
local time = redis.call('TIME')
if time[1] * 1000000 + time[2] > tonumber(ARGV[#ARGV - 1]) then return {'late'} end
"""

HEADS: Final = (
    _NUMBERS
    + f"""
-- How the row of that name begins; nothing where there is none of this generation.
local function head_of(name)
  return current(redis.pcall('GETRANGE', name, 0, #generation + head_bytes - 1))
end

-- The version and the deadline of a key's record that begins so, when it was made, and where it
-- goes on behind what was read; nothing where it is none.
local function times(head, key)
  -- after the array's three bytes: format, key, version, created, seen, idle_until, until
  local sound, at, format, owned, version, created, _, idle, absolute =
    pcall(cmsgpack.unpack_limit, head, 7, 3)
  if sound and format == {FORMAT} and owned == key and type(version) == 'number'
    and type(idle) == 'number' and type(absolute) == 'number' then
    return version, math.min(idle, absolute), created, at
  end
end
"""
)

_BEGUN: Final = (
    GENERATION
    + _ENTER
    + """
local function begin(fresh)
  if generation then return end
  generation = following(stored, seen, fresh)
  redis.call('SET', KEYS[2], generation)
end

local function create(name, row, left)
  if redis.call('SET', name, generation .. row, 'NX', 'PX', left) then return true end
  if current(redis.pcall('GETRANGE', name, 0, #generation - 1)) then return false end
  redis.call('SET', name, generation .. row, 'PX', left)
  return true
end
"""
)

# KEYS: row, generation. ARGV: row, its milliseconds, the rest of a generation to begin where there
# is none.
# Returns 1, or nothing where the row exists.
CREATE: Final = Script(
    "redis create",
    _BEGUN
    + """
begin(ARGV[3])
return create(KEYS[1], ARGV[1], ARGV[2]) and 1
""",
)

# KEYS: none, generation. ARGV: the rest of a generation to begin where there is none.
# Returns the generation, and 1 where it was begun, else 0.
BEGIN: Final = Script(
    "redis begin",
    _BEGUN
    + """
local missing = not generation
begin(ARGV[1])
return {generation, missing and 1 or 0}
""",
)

# KEYS: generation. ARGV: the rest of the new one. Returns the new one, whatever stood there.
END: Final = Script(
    "redis end everybody",
    _COUNT
    + """
local stored = redis.pcall('GET', KEYS[1])
local generation = following(type(stored) == 'string' and stored, ARGV[2], ARGV[1])
redis.call('DEL', KEYS[1])  -- first: behind it a full server refuses nothing of this script
redis.call('SET', KEYS[1], generation)
return generation
""",
)

# KEYS: row, generation, index of its owner if it has one. ARGV: the beginning that is expected, new
# row, the session's key, milliseconds of the row, and those of the index.
# Returns 1, or the row as it is, or nothing where there is none. An entry that somebody took out of
# the index is put back: a session that is in use is not hidden from its owner for long.
COMMIT: Final = Script(
    "redis commit",
    GENERATION
    + _ENTER
    + """
local expected = (generation or '') .. ARGV[1]
if generation and redis.pcall('GETRANGE', KEYS[1], 0, #expected - 1) == expected then
  redis.call('SET', KEYS[1], generation .. ARGV[2], 'PX', ARGV[4])
  -- pcall: an index of another type is an error, which is no reason to lose the commit
  if KEYS[3] and not redis.pcall('ZSCORE', KEYS[3], ARGV[3]) then
    enter(KEYS[3], ARGV[3], ARGV[5])
  end
  return 1
end
return current(redis.pcall('GET', KEYS[1]))
""",
    repeat=Repeat.TOLD,
)

# KEYS: row, generation, index of its owner if it has one. ARGV: the session's key, and, if there is
# something to leave in its place, that row and its milliseconds (they make four with the last).
# Returns the row that was removed. A key of another type is removed and returned as an empty row.
DELETE: Final = Script(
    "redis delete",
    GENERATION
    + """
if KEYS[3] then redis.pcall('ZREM', KEYS[3], ARGV[1]) end
local row = current(redis.pcall('GETDEL', KEYS[1]))
if type(row) == 'table' then
  redis.call('DEL', KEYS[1])
  return ''
end
if row and ARGV[4] then redis.call('SET', KEYS[1], generation .. ARGV[2], 'PX', ARGV[3]) end
return row
""",
)

# KEYS: row, generation; then the index of its owner, where it has one; then, where it takes the
# place of another, that row and the index of that one's owner. ARGV: row, its milliseconds, those
# of the index, the session's key, prefix, now, limit, what happens there (0 ends the oldest, 1 all
# others, 2 refuses), the rest of a generation to begin, whether there is an owner; then the key of
# the old one, the beginning that is expected of it, the row to leave in its place, and its
# milliseconds. No limit is -1. Returns nothing where
# the new row exists; else {'replaced', the oldest that stays where more are over the limit than
# ended or else an empty text, keys of those that ended}, {'full'}, {'crowded'}, or {'changed', the
# old row as it is}, without a row where there is none. What ends is chosen as in ``stores.excess``.
# Ghosts are entries whose row is gone or ended: all that are seen go, and where nobody has to be
# counted a few are looked at.
REPLACE: Final = Script(
    "redis replace",
    IN_TIME
    + _BEGUN
    + HEADS
    + """
local prefix, now, limit = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local at = 2
local index
if ARGV[10] == '1' then at = at + 1; index = KEYS[at] end
local old, old_index = KEYS[at + 1], KEYS[at + 2]

local function is_unclaimed(head, version, created, at)  -- by now: see ``Record.is_unclaimed``
  -- behind what ``times`` reads is a digest of 34 bytes, whose type cmsgpack does not know
  local known, _, rotated, confirmed = pcall(cmsgpack.unpack_limit, head, 2, at + 34)
  return version == 1 and known and not confirmed and created == rotated
    and type(rotated) == 'number' and now >= rotated + unclaimed_ttl
end

begin(ARGV[9])
if old then
  local expected = generation .. ARGV[12]
  if redis.pcall('GETRANGE', old, 0, #expected - 1) ~= expected then
    local row = current(redis.pcall('GET', old))
    if type(row) == 'table' then row = '' end  -- a key of another type
    return {'changed', row or nil}
  end
end

local held, nobodys, dead, is_cut = {}, {}, {}, false  -- newest first
if index then
  local size = redis.call('ZCARD', index)
  local counts = limit >= 0 and size >= limit
  local names
  if counts then
    names = redis.call('ZREVRANGE', index, 0, limit + most_dead - 1)
  else
    names = redis.call('ZRANDMEMBER', index, 16)
  end
  for i, name in ipairs(names) do
    local head = head_of(prefix .. name)
    if not head then
      redis.call('ZREM', index, name)
    elseif counts and name ~= ARGV[11] then
      local version, ends, created, at = times(head, name)
      if not version or version < 1 or now >= ends then
        dead[#dead + 1] = name
      elseif is_unclaimed(head, version, created, at) then
        nobodys[#nobodys + 1] = name
      else
        held[#held + 1] = name
      end
    end
    is_cut = counts and i < size
    if #held == limit + most_ended then break end
  end
end
if is_cut and #held < limit then
  for _, name in ipairs(nobodys) do dead[#dead + 1] = name end
  for _, name in ipairs(dead) do
    redis.call('UNLINK', prefix .. name)
    redis.call('ZREM', index, name)
  end
  return {'crowded'}
end

local over = limit < 0 and 0 or math.max(#held + 1 - limit, 0)
if over > 0 and ARGV[8] == '2' then return {'full'} end
if over > 0 and ARGV[8] == '1' then over = #held end
if not create(KEYS[1], ARGV[1], ARGV[2]) then return false end

if old then
  -- pcall: the new row is stored, so an index of another type must not stop what follows
  if old_index then redis.pcall('ZREM', old_index, ARGV[11]) end
  if ARGV[13] ~= '' then
    redis.call('SET', old, generation .. ARGV[13], 'PX', ARGV[14])
  else
    redis.call('DEL', old)
  end
end
local answer = {'replaced', ''}
local function remove(name)
  redis.call('UNLINK', prefix .. name)
  redis.call('ZREM', index, name)
  answer[#answer + 1] = name
end
local ended = math.min(over, most_ended)
for i = #held, math.max(#held - ended, 0) + 1, -1 do remove(held[i]) end
for i = 1, math.min(#nobodys, most_ended - ended) do remove(nobodys[i]) end
if is_cut or over > most_ended then answer[2] = held[#held - over] or ARGV[4] end
if index then enter(index, ARGV[4], ARGV[3]) end
return answer
""",
)
