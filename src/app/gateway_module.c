#include "app/gateway_module.h"

/* Behind the last occurrence of needle at the beginning of a line; the beginning of *ret_before is
 * kept. False: there is none. */
static bool split_at_last_line(struct slice text, struct slice needle, struct slice *ret_before,
                               struct slice *ret_after)
{
    for (size_t at = text.n; at-- > 0;) {
        if (at > 0 && text.p[at - 1] != '\n')
            continue;
        if (!slice_starts(slice_sub(text, at, text.n), needle))
            continue;
        *ret_before = slice_sub(text, 0, at);
        *ret_after = slice_sub(text, at + needle.n, text.n);
        return true;
    }
    return false;
}

static struct slice trim_all(struct slice s)
{
    while (s.n && strchr(" \t\r\n", s.p[0]))
        s = slice_sub(s, 1, s.n);
    while (s.n && strchr(" \t\r\n", s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Takes "local", "local as name" or `local as "any text"` off the front, not the comma behind. */
static int take_export(struct slice *s, struct slice *ret_local, struct slice *ret_name)
{
    size_t n = 0;

    while (n < s->n && !strchr(" \t\r\n,}", s->p[n]))
        n++;
    *ret_local = *ret_name = slice_take(s, n);
    if (!ret_local->n)
        return -ERR_UNSUPPORTED;
    if (!slice_starts(*s, SLICE(" as ")))
        return 0;
    (void)slice_take(s, 4);
    bool quoted = s->n && s->p[0] == '"';

    for (n = quoted; n < s->n && (quoted ? s->p[n] != '"' : !strchr(" \t\r\n,}", s->p[n])); n++)
        n += quoted && s->p[n] == '\\';
    *ret_name = slice_take(s, MIN(n + quoted, s->n));
    return 0;
}

static bool take_char(struct slice *s, char c)
{
    if (!s->n || s->p[0] != c)
        return false;
    (void)slice_take(s, 1);
    return true;
}

/* The white space in front, copied as it is: it holds the line breaks. */
static int copy_space(struct slice *s, struct buf *out)
{
    size_t n = 0;

    while (n < s->n && strchr(" \t\r\n", s->p[n]))
        n++;
    return buf_add(out, slice_take(s, n));
}

/* " … };" behind "export {". -ERR_UNSUPPORTED when it is anything else. */
static int write_exports(struct slice list, struct buf *out)
{
    int r;

    if ((r = buf_add(out, SLICE("return {"))) < 0)
        return r;
    for (;;) {
        struct slice local, name;

        if ((r = copy_space(&list, out)) < 0)
            return r;
        if (take_char(&list, '}'))
            break;
        if ((r = take_export(&list, &local, &name)) < 0)
            return r;
        if ((r = buf_addf(out, "%.*s: %.*s", SLICE_FMT(name), SLICE_FMT(local))) < 0)
            return r;
        if (take_char(&list, ',') && (r = buf_add_byte(out, ',')) < 0)
            return r;
    }
    (void)take_char(&list, ';');
    return trim_all(list).n ? -ERR_UNSUPPORTED : buf_add(out, SLICE("};\n"));
}

/* Length of `"BASE64");` and a line break at the front, 0 when s is something else. */
static size_t data_length(struct slice s)
{
    size_t n = 1;

    if (!s.n || s.p[0] != '"')
        return 0;
    while (n < s.n && s.p[n] != '"' && s.p[n] != '\n')
        n++;
    return slice_starts(slice_sub(s, n, s.n), SLICE("\");\n")) ? n + 2 : 0;
}

/* Whether `// PATH`, the line before the one that code ends in, names a WebAssembly module. */
static bool is_wasm(struct slice code)
{
    size_t end = code.n, begin;

    while (end > 0 && code.p[end - 1] != '\n')
        end--;
    for (begin = end - (end > 0); begin > 0 && code.p[begin - 1] != '\n';)
        begin--;
    struct slice line = trim_all(slice_sub(code, begin, end - begin));

    return slice_starts(line, SLICE("//")) &&
           (slice_ends(line, SLICE(".wasm")) || slice_ends(line, SLICE(".wasm?module")));
}

/* `__toBinary("BASE64")`: for a WebAssembly module the module, else an ArrayBuffer of its own. */
static int write_data(struct slice call, bool wasm, struct buf *out)
{
    if (wasm)
        return buf_addf(out, "new WebAssembly.Module(%.*s)", SLICE_FMT(call));
    return buf_addf(out, "%.*s.buffer", SLICE_FMT(call));
}

/* The code itself. Data files are `= __toBinary("BASE64");`, bytes, for which applications expect
 * something else. */
static int write_code(struct slice code, struct buf *out)
{
    const struct slice mark = SLICE("__toBinary("), equals = SLICE(" = __toBinary(");
    ptrdiff_t at;
    int r;

    while ((at = slice_find_slice(code, equals)) >= 0) {
        struct slice before = slice_take(&code, (size_t)at + strlen(" = "));
        size_t n = data_length(slice_sub(code, mark.n, code.n));
        struct slice call = slice_take(&code, mark.n + n);

        if ((r = buf_add(out, before)) < 0 ||
            (r = n ? write_data(call, is_wasm(before), out) : buf_add(out, call)) < 0)
            return r;
    }
    return buf_add(out, code);
}

int module_to_function(struct slice esm, struct buf *out, bool *ret_module)
{
    struct slice code, rest;
    int r;

    *ret_module = true;
    if (split_at_last_line(esm, SLICE("export {"), &code, &rest)) {
        r = write_code(code, out);
        return r < 0 ? r : write_exports(rest, out);
    }
    /* What esbuild makes of a CommonJS entry. */
    if (split_at_last_line(esm, SLICE("export default "), &code, &rest)) {
        rest = trim_all(rest);
        rest.n -= slice_ends(rest, SLICE(";"));
        r = write_code(code, out);
        return r < 0 ? r : buf_addf(out, "return {default: %.*s};\n", SLICE_FMT(rest));
    }
    *ret_module = false;
    return write_code(esm, out);
}
