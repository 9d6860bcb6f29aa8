# Prints the value in $V in the ways that programs do, each after a line `== name`. $NODE is a node.
row() { printf '\n== %s\n' "$1"; }
row raw; printf '%s\n' "$V"
row assignment; printf 'PASSWORD=%s;\n' "$V"
row base64; printf %s "$V" | base64 -w0
row 'base64 of echo'; echo "$V" | base64 -w0
row 'base64 of user:'; printf 'user:%s' "$V" | base64 -w0
row 'base64 of user: and a line feed'; printf 'user:%s\n' "$V" | base64 -w0
row 'base64 of x:'; printf 'x:%s' "$V" | base64 -w0
row 'base64 of a document'; printf '{"p":"%s"}' "$V" | base64 -w0
row 'base64url'; printf %s "$V" | base64 -w0 | tr '+/' '-_' | tr -d =
row 'base64 folded at 76'; printf %s "$V" | base64
row 'base64 folded at 64'; printf %s "$V" | openssl base64
row hex; printf %s "$V" | xxd -p -c0
row HEX; printf %s "$V" | xxd -p -u -c0
row 'hex folded'; printf %s "$V" | xxd -p
row '%q'; printf '%q\n' "$V"
row 'set -x'; (set -x; : "$V") 2>&1
row 'declare -p'; declare -p V
python3 -c '
import html, json, os, shlex, urllib.parse, xml.sax.saxutils
v = os.environ["V"]
def row(name, text): print(f"\n== {name}\n{text}")
row("urllib quote", urllib.parse.quote(v, safe=""))
row("urllib quote in lower case", "".join(c if c.isalnum() and c.isascii() or c in "-._~" else "".join(f"%{b:02x}" for b in c.encode()) for c in v))
row("urllib quote_plus", urllib.parse.quote_plus(v))
row("json.dumps", json.dumps({"password": v}))
row("json.dumps in Unicode", json.dumps({"password": v}, ensure_ascii=False))
row("json as PHP", json.dumps(v).replace("/", "\\/"))
row("json as Go", json.dumps(v, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
row("json in json", json.dumps(json.dumps(v)))
row("html.escape", html.escape(v))
row("saxutils", xml.sax.saxutils.quoteattr(v))
row("repr", repr(v))
row("repr of bytes", repr(v.encode()))
row("shlex.quote", shlex.quote(v))
row("reversed", v[::-1])
row("spaced", " ".join(v))
row("swapped case", v.swapcase())
row("half", "half: " + v[: len(v) // 2])
row("sorted out", "\n".join(v))
row("folded at 40", "\n".join(v.encode().hex()[i : i + 40] for i in range(0, 2 * len(v.encode()), 40)))
row("hex in pairs", v.encode().hex(":"))
'
"$NODE" -e '
const v = process.env.V;
const row = (name, text) => console.log(`\n== ${name}\n${text}`);
row("encodeURIComponent", encodeURIComponent(v));
row("URLSearchParams", new URLSearchParams({ password: v }).toString());
row("JSON.stringify", JSON.stringify({ password: v }));
row("Basic", "Authorization: Basic " + Buffer.from("user:" + v).toString("base64"));
row("node base64url", Buffer.from(v).toString("base64url"));
row("console.log", { password: v });
console.log({ password: v });
'
