/* SPDX-License-Identifier: MIT */
/* topdraw.c: see topdraw.h.  Two tables say which columns a page has, and which go first where there is no room. */
#include "topdraw.h"

#include <string.h>

#include "fit.h"
#include "plural.h"
#include "say.h"

#define BOLD    "\033[1m"
#define REVERSE "\033[7m"
#define RED     "\033[31m"
#define GREEN   "\033[32m"
#define YELLOW  "\033[33m"
#define PLAIN   "\033[0m"

enum look { NAME, STATE, ENDS, WAITS, COUNT, RATE, SIZE };

struct column {
    const char *title;
    enum look look;
    enum top_value value;
    unsigned width;             /* of a name: at least */
    unsigned rank;              /* the greatest goes first */
};

static const struct column of_guests[] = {
    { "NAME",      NAME,  TOP_VALUES,      12, 0 },
    { "DOMID",     COUNT, TOP_DOMID,       5,  6 },
    { "STATE",     STATE, TOP_VALUES,      12, 3 },
    { "CONNS",     COUNT, TOP_CONNECTIONS, 6,  2 },
    { "FROM/s",    SIZE,  TOP_FROM,        7,  0 },
    { "TO/s",      SIZE,  TOP_TO,          7,  0 },
    { "PACKETS/s", RATE,  TOP_PACKETS,     9,  7 },
    { "NEW/s",     RATE,  TOP_NEW,         6,  5 },
    { "REFUSED/s", RATE,  TOP_REFUSED,     9,  4 },
    { "STALLS/s",  RATE,  TOP_STALLS,      8,  4 },
    { "DROPS/s",   RATE,  TOP_DROPS,       7,  8 },
    { "HELD",      SIZE,  TOP_HELD,        6,  1 },
};
static const struct column of_streams[] = {
    { "GUEST",     NAME,  TOP_VALUES,      8,  1 },
    { "PORT - PEER", ENDS, TOP_VALUES,     24, 0 },
    { "STATE",     STATE, TOP_VALUES,      12, 3 },
    { "FROM/s",    SIZE,  TOP_FROM,        7,  0 },
    { "TO/s",      SIZE,  TOP_TO,          7,  0 },
    { "HELD",      SIZE,  TOP_HELD,        6,  2 },
    { "ROOM",      SIZE,  TOP_ROOM,        6,  4 },
    { "WAITS",     WAITS, TOP_VALUES,      29, 2 },
};
#define MOST 16

/* Those of a page that fit, and how wide each is. */
struct layout {
    const struct column *column[MOST];
    unsigned width[MOST];
    size_t count;
};

/* ---- texts ---- */

static void number_text(char text[SIZE_TEXT], enum look look, double value)
{
    if (value < 0)
        snprintf(text, SIZE_TEXT, "-");
    else if (look == SIZE)
        size_text(text, (uint64_t)(value + 0.5));
    else if (look == COUNT || value >= 9.95 || value == 0)
        snprintf(text, SIZE_TEXT, value >= 999999.5 ? "%.0fk" : "%.0f", value >= 999999.5 ? value / 1000 : value);
    else
        snprintf(text, SIZE_TEXT, "%.1f", value);
}

static const char *colour_of(const struct top_view *v, const struct column *c, const struct top_row *r)
{
    if (!v->colour)
        return NULL;
    if (c->look == STATE)
        return !strcasecmp(r->state, "in use") || !strcasecmp(r->state, "connected") || !strcasecmp(r->state, "established") ? GREEN : YELLOW;
    if (c->look == WAITS)
        return *r->waits ? RED : NULL;
    if (c->value == TOP_REFUSED || c->value == TOP_STALLS || c->value == TOP_DROPS)
        return r->value[c->value] > 0 ? RED : NULL;
    return NULL;
}

/* ---- the layout ---- */

static unsigned width_of(const struct layout *l)
{
    unsigned sum = 0;

    for (size_t i = 0; i < l->count; i++)
        sum += l->width[i] + (i > 0);
    return sum;
}

/* The last one of the greatest rank goes; false if there is none that may. */
static bool drop_one(struct layout *l)
{
    size_t at = 0;

    for (size_t i = 1; i < l->count; i++)
        if (l->column[i]->rank >= l->column[at]->rank)
            at = i;
    if (!l->column[at]->rank)
        return false;
    l->count--;
    memmove(&l->column[at], &l->column[at + 1], (l->count - at) * sizeof *l->column);
    memmove(&l->width[at], &l->width[at + 1], (l->count - at) * sizeof *l->width);
    return true;
}

static void lay_out(struct layout *l, const struct top_view *v, const struct top_rows *rows)
{
    bool streams = v->page == TOP_GUEST || v->page == TOP_STREAMS;
    const struct column *all = streams ? of_streams : of_guests;
    size_t count = streams ? sizeof of_streams / sizeof *of_streams : sizeof of_guests / sizeof *of_guests;
    unsigned longest = 0, room;

    l->count = 0;
    for (size_t i = v->page == TOP_GUEST; i < count; i++) {     /* its name is above */
        l->column[l->count] = &all[i];
        l->width[l->count++] = all[i].width;
    }
    while (width_of(l) > v->columns && drop_one(l))
        ;
    if (l->column[0]->look != NAME)
        return;
    for (size_t i = 0; i < rows->count; i++)
        longest = fit_columns(rows->row[i].name) > longest ? fit_columns(rows->row[i].name) : longest;
    room = v->columns > width_of(l) ? v->columns - width_of(l) : 0;
    if (longest > l->width[0])
        l->width[0] += longest - l->width[0] < room ? longest - l->width[0] : room;
}

/* ---- lines ---- */

/* So many columns are left in this line. */
static void print_piece(FILE *to, unsigned *left, const char *text)
{
    unsigned n = fit_columns(text);

    fit_print(to, text, *left, false);
    *left -= n < *left ? n : *left;
}

static void draw_head(FILE *to, const struct top_view *v, const struct top_look *before, const struct top_look *now)
{
    char text[200], size[SIZE_TEXT], turns[SIZE_TEXT];
    unsigned left = v->columns, up = (unsigned)(top_daemon(now, "uptime_ms") / 1000);

    if (v->colour)
        fputs(BOLD, to);
    snprintf(text, sizeof text, "xvs top  %s%s", v->clock, v->paused ? "  paused" : "");
    print_piece(to, &left, text);
    if (v->colour)
        fputs(PLAIN, to);
    if (v->trouble) {
        print_piece(to, &left, "  ");
        if (v->colour)
            fputs(RED, to);
        print_piece(to, &left, v->trouble);
        if (v->colour)
            fputs(PLAIN, to);
    } else {
        number_text(turns, RATE, top_daemon_rate(before, now, "rounds"));
        snprintf(text, sizeof text, "  up %u:%02u:%02u, guests %.0f of %.0f, streams %.0f; %s, %.0f files, %s turns/s",
                 up / 3600, up / 60 % 60, up % 60, top_daemon(now, "connected"), top_daemon(now, "guests"), top_daemon(now, "connections"),
                 size_text(size, (uint64_t)top_daemon(now, "resident_bytes")), top_daemon(now, "fds"), turns);
        print_piece(to, &left, text);
    }
    putc('\n', to);
}

static const char *name_of(enum top_value by)
{
    static const char *const names[TOP_VALUES + 1] = {
        "domid", "connections", "bytes from the guest", "bytes to the guest", "bytes both ways", "packets", "new connections",
        "refusals", "stalls", "drops", "data that waits", "room", "name"
    };

    return names[by];
}

static void draw_what(FILE *to, const struct top_view *v, size_t count)
{
    const char *what = v->page == TOP_GUEST || v->page == TOP_STREAMS ? "stream" : "guest", *many = plural(count);
    char text[300];
    unsigned left = v->columns;

    if (v->page == TOP_GUEST)
        snprintf(text, sizeof text, "%s (domid %u, device %u): %zu %s%s by %s", v->name, v->domid, v->device, count, what, many, name_of(v->by));
    else
        snprintf(text, sizeof text, "%zu %s%s by %s", count, what, many, name_of(v->by));
    print_piece(to, &left, text);
    print_piece(to, &left, v->reversed ? ", reversed" : "");
    if (v->rows)
        print_piece(to, &left, "   ?: keys");
    putc('\n', to);
}

/* True for the column that the order is by. */
static bool orders(const struct top_view *v, const struct column *c)
{
    return v->by == c->value ? c->value != TOP_VALUES || c->look == NAME : v->by == TOP_BOTH && (c->value == TOP_FROM || c->value == TOP_TO);
}

static bool is_left(const struct column *c)
{
    return c->look == NAME || c->look == STATE || c->look == ENDS || c->look == WAITS;
}

static void draw_titles(FILE *to, const struct top_view *v, const struct layout *l)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct column *c = l->column[i];
        bool last = i + 1 == l->count && is_left(c);
        int width = last ? 0 : is_left(c) ? -(int)l->width[i] : (int)l->width[i];

        fputs(i ? " " : "", to);
        if (v->colour)
            fputs(orders(v, c) ? BOLD REVERSE : BOLD, to);
        fprintf(to, "%*s", width, c->title);
        if (v->colour)
            fputs(PLAIN, to);
    }
    putc('\n', to);
}

static void draw_cell(FILE *to, const struct column *c, const struct top_row *r, unsigned width, bool last)
{
    char text[SIZE_TEXT];

    switch (c->look) {
    case NAME:  fit_print(to, r->name, width, !last); break;
    case STATE: fit_print(to, *r->state ? r->state : "?", width, !last); break;
    case ENDS:  fit_print(to, r->what, width, !last); break;
    case WAITS: fit_print(to, r->waits, width, !last); break;
    default:
        number_text(text, c->look, r->value[c->value]);
        fprintf(to, "%*s", (int)width, text);
    }
}

static void draw_row(FILE *to, const struct top_view *v, const struct layout *l, const struct top_row *r, bool selected)
{
    if (selected && v->colour)
        fputs(REVERSE, to);
    for (size_t i = 0; i < l->count; i++) {
        const char *colour = selected ? NULL : colour_of(v, l->column[i], r);

        fputs(i ? " " : "", to);
        fputs(colour ? colour : "", to);
        draw_cell(to, l->column[i], r, l->width[i], i + 1 == l->count && !selected);
        fputs(colour ? PLAIN : "", to);
    }
    fputs(selected && v->colour ? PLAIN "\n" : "\n", to);
}

/* ---- pages ---- */

static void draw_help(FILE *to, const struct top_view *v)
{
    static const char *const lines[] = {
        "b f t   order: bytes both ways, from the guest, to it",
        "p c w   packets, connections, new ones a second",
        "r s x   refusals, stalls, drops (streams that ended with data unread)",
        "h n d   data that waits for its reader, name, domid;  R: the other way round",
        "arrows, PageUp, PageDown, Home, End: which row;  Enter: the guest's streams",
        "a       the streams of all guests;  Esc, Backspace: back",
        "+ -     slower, faster;  Space: stand still;  q: end",
        "",
        "FROM and TO are as the guest is called.  A stall: somebody took no more, and a stream stood still.",
        "HELD: what a guest has sent and nobody has read.  xvs-metrics(7) says more.",
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines && (!v->rows || i + 2 < v->rows); i++) {
        unsigned left = v->columns;

        print_piece(to, &left, lines[i]);
        putc('\n', to);
    }
}

static size_t lines_for_rows(const struct top_view *v)
{
    return !v->rows ? SIZE_MAX : v->rows > 4 ? v->rows - 4 : 1;
}

static void put_right(struct top_view *v, size_t count, size_t lines)
{
    if (v->selected >= count)
        v->selected = count ? count - 1 : 0;
    if (v->first > v->selected)
        v->first = v->selected;
    if (v->selected - v->first >= lines)
        v->first = v->selected - lines + 1;
    if (v->first && count - v->first < lines)
        v->first = count > lines ? count - lines : 0;
}

void top_draw(FILE *to, struct top_view *v, const struct top_rows *rows, const struct top_look *before, const struct top_look *now)
{
    size_t lines = lines_for_rows(v);
    struct layout l;

    draw_head(to, v, before, now);
    if (v->page == TOP_HELP) {
        draw_help(to, v);
        return;
    }
    put_right(v, rows->count, lines);
    draw_what(to, v, rows->count);
    lay_out(&l, v, rows);
    draw_titles(to, v, &l);
    for (size_t i = v->first; i < rows->count && i - v->first < lines; i++)
        draw_row(to, v, &l, &rows->row[i], v->rows && i == v->selected);
}

/* ---- keys ---- */

int top_key(const char *bytes, size_t len, size_t *used)
{
    static const struct { const char *sequence; int key; } keys[] = {
        { "\033[A", TOP_KEY_UP }, { "\033[B", TOP_KEY_DOWN }, { "\033OA", TOP_KEY_UP }, { "\033OB", TOP_KEY_DOWN },
        { "\033[C", TOP_KEY_ENTER }, { "\033[D", TOP_KEY_BACK }, { "\033OC", TOP_KEY_ENTER }, { "\033OD", TOP_KEY_BACK },
        { "\033[5~", TOP_KEY_PAGE_UP }, { "\033[6~", TOP_KEY_PAGE_DOWN }, { "\033[H", TOP_KEY_HOME }, { "\033[F", TOP_KEY_END },
        { "\033OH", TOP_KEY_HOME }, { "\033OF", TOP_KEY_END }, { "\033[1~", TOP_KEY_HOME }, { "\033[4~", TOP_KEY_END },
        { "\r", TOP_KEY_ENTER }, { "\n", TOP_KEY_ENTER }, { "\177", TOP_KEY_BACK }, { "\b", TOP_KEY_BACK }
    };
    size_t n;

    *used = 0;
    if (!len)
        return TOP_KEY_NONE;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t size = strlen(keys[i].sequence);

        if (len >= size && !memcmp(bytes, keys[i].sequence, size)) {
            *used = size;
            return keys[i].key;
        }
    }
    if (*bytes != '\033') {
        *used = 1;
        return (unsigned char)*bytes;
    }
    if (len == 1)
        return TOP_KEY_BACK;    /* Esc, if nothing follows: *used is 0 */
    if (bytes[1] != '[' && bytes[1] != 'O') {
        *used = 1;
        return TOP_KEY_BACK;
    }
    /* Some other sequence: parameters, and a last byte. */
    for (n = 2; n < len && (unsigned char)bytes[n] < 0x40; n++)
        ;
    *used = n < len ? n + 1 : len > 16 ? len : 0;
    return TOP_KEY_NONE;
}

static void order_by(struct top_view *v, enum top_value by)
{
    v->by = by;
    v->reversed = false;
}

static void open_guest(struct top_view *v, const struct top_rows *rows)
{
    const struct top_row *r;

    if (v->page != TOP_GUESTS || v->selected >= rows->count)
        return;
    r = &rows->row[v->selected];
    v->domid = (uint32_t)r->value[TOP_DOMID];
    v->device = r->device;
    memcpy(v->name, r->name, sizeof v->name);
    v->page = TOP_GUEST;
    v->selected = v->first = 0;
}

static void go_back(struct top_view *v)
{
    v->page = v->page == TOP_HELP ? v->behind : TOP_GUESTS;
    v->selected = v->first = 0;
}

static void move(struct top_view *v, long by, size_t count)
{
    long at = (long)v->selected + by;

    v->selected = at < 0 ? 0 : (size_t)at >= count && count ? count - 1 : (size_t)at;
}

void top_press(struct top_view *v, int key, const struct top_rows *rows)
{
    static const struct { char key; enum top_value by; } orders_by[] = {
        { 'b', TOP_BOTH }, { 'f', TOP_FROM }, { 't', TOP_TO }, { 'p', TOP_PACKETS }, { 'c', TOP_CONNECTIONS }, { 'w', TOP_NEW },
        { 'r', TOP_REFUSED }, { 's', TOP_STALLS }, { 'x', TOP_DROPS }, { 'h', TOP_HELD }, { 'n', TOP_VALUES }, { 'd', TOP_DOMID }
    };
    long page = v->rows > 5 ? (long)v->rows - 5 : 1;

    for (size_t i = 0; i < sizeof orders_by / sizeof *orders_by; i++)
        if (key == orders_by[i].key)
            order_by(v, orders_by[i].by);
    switch (key) {
    case 'q':               v->quits = true; break;
    case 'R':               v->reversed = !v->reversed; break;
    case ' ':               v->paused = !v->paused; break;
    case '+':               v->delay = v->delay < 60 ? v->delay * 2 : v->delay; break;
    case '-':               v->delay = v->delay > 0.2 ? v->delay / 2 : v->delay; break;
    case 'a':               v->page = TOP_STREAMS; v->selected = v->first = 0; break;
    case '?':               v->behind = v->page == TOP_HELP ? v->behind : v->page; v->page = TOP_HELP; break;
    case 'j':
    case TOP_KEY_DOWN:      move(v, 1, rows->count); break;
    case 'k':
    case TOP_KEY_UP:        move(v, -1, rows->count); break;
    case TOP_KEY_PAGE_DOWN: move(v, page, rows->count); break;
    case TOP_KEY_PAGE_UP:   move(v, -page, rows->count); break;
    case TOP_KEY_HOME:      v->selected = 0; break;
    case TOP_KEY_END:       v->selected = rows->count ? rows->count - 1 : 0; break;
    case TOP_KEY_ENTER:     open_guest(v, rows); break;
    case TOP_KEY_BACK:      go_back(v); break;
    default:                break;
    }
}
