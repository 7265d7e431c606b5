"""What we mean to reach, as ratios within one run, and whether this run reached it."""

PEERS_ON_REDIS = (
    "starsessions redis",
    "litestar redis",
    "flask-session redis",
    "beaker redis",
    "django cache redis",
)


def verdicts(results):
    """List rows of target, measured, bound, and yes or no; only for what was measured."""
    rows = []
    for part, judge in JUDGES.items():
        if part in results:
            rows += judge(results[part])
    return rows


def at_most(target, measured, bound):
    return [
        target,
        f"{measured:.2f}",
        f"at most {bound:.2f}",
        "yes" if measured <= bound else "**no**",
    ]


def at_least(target, measured, bound):
    return [
        target,
        f"{measured:.2f}",
        f"at least {bound:.2f}",
        "yes" if measured >= bound else "**no**",
    ]


def judge_commands(counts):
    def most(situation):
        return max(
            len(counts[situation][name][0]) for name in ("sessile redis", "sessile flask redis")
        )

    budget = {
        "anonymous": 0,
        "read": 1,
        "write": 2,
        "login, from a session": 2,
        "logout": 2,
        "rotate": 2,
    }
    return [at_most(f"commands: {what}", most(what), bound) for what, bound in budget.items()]


def judge_memory(sizes):
    return [
        at_most(
            "memory / flask-session", sizes["sessile redis"] / sizes["flask-session redis"], 1.2
        )
    ]


def judge_cpu(over):
    def best(page):
        return min(over[name][page] for name in PEERS_ON_REDIS)

    sqlite, redis = over["sessile sqlite"], over["sessile redis"]
    cookie, stars = over["starlette signed cookie"], over["starsessions redis"]
    lazy = over["sessile redis lazy"]
    return [
        at_most("sqlite read / starsessions redis read", sqlite["read"] / stars["read"], 1 / 12),
        at_most("sqlite read / signed cookie read", sqlite["read"] / cookie["read"], 1.0),
        at_most("sqlite write / signed cookie write", sqlite["write"] / cookie["write"], 1.0),
        at_most("redis read / best peer on redis", redis["read"] / best("read"), 0.45),
        at_most("redis write / best peer on redis", redis["write"] / best("write"), 0.75),
        at_most(
            "lazy untouched, us more than starsessions", lazy["untouched"] - stars["untouched"], 0.0
        ),
    ]


def judge_versions(ratios):
    return [
        at_most(f"versions: {store} {page}, now / before", ratio, 1.2)
        for store, pages in ratios.items()
        for page, (_, _, ratio) in pages.items()
    ]


def judge_batching(reads):
    one, many = reads["sessile redis"]
    return [at_most("read with 16 in flight / with 1", many / one, 1.0)]


def judge_throughput(rates):
    def share(name, page):
        return rates[name][page][1]

    return [
        at_least("sqlite read, share of no sessions", share("sessile sqlite", "read"), 0.6),
        at_least("sqlite write, share", share("sessile sqlite", "write"), 0.45),
        at_least("redis read, share", share("sessile redis", "read"), 0.3),
        at_least("redis write, share", share("sessile redis", "write"), 0.2),
    ]


def judge_postgres(over):
    django = over["django db postgres"]
    return [
        at_most(f"{name} {page} / django db {page}", over[name][page] / django[page], 0.6)
        for name in ("sessile postgres", "sessile flask postgres")
        for page in ("read", "write")
    ]


def judge_clusters(over):
    return [
        at_most(f"{name} read / redis read", over[name]["read"] / over[plain]["read"], 1.15)
        for plain, names in (
            ("sessile redis", ("sessile sentinel", "sessile cluster")),
            ("sessile flask redis", ("sessile flask sentinel", "sessile flask cluster")),
        )
        for name in names
    ]


JUDGES = {
    "commands": judge_commands,
    "memory": judge_memory,
    "cpu": judge_cpu,
    "postgres": judge_postgres,
    "clusters": judge_clusters,
    "versions": judge_versions,
    "batching": judge_batching,
    "throughput": judge_throughput,
}
