/* SPDX-License-Identifier: MIT */
/* test_backend_policy.c: who may reach whom, line by line, and each error of a policy with its file, line and what would be right. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "confdir.h"
#include "policy_dir.h"
#include "portnames.h"

#define UUID  "01234567-89ab-cdef-0123-456789abcdef"
#define OTHER "fedcba98-7654-3210-fedc-ba9876543210"

static struct complaints complaints;
#define why complaints.first

/* ---- what is read ---- */

/* A host on which alice is 1000, and in the group ops, which is 2000. */
static int find(struct policy_ids *ids, bool group, const char *name, uint32_t *id)
{
    (void)ids;
    if (!strcmp(name, "broken"))
        return -EIO;
    if (strcmp(name, group ? "ops" : "alice"))
        return -ENOENT;
    *id = group ? 2000 : 1000;
    return 0;
}

static struct policy_ids host = { find };

/* [group web] has web1, web2 and a UUID; [group none] has nobody. */
static struct settings *groups(void)
{
    static char web_names[] = "web1\0web2\0uuid:" OTHER "\0", web[] = "web", none_names[] = "", none[] = "none";
    static struct settings_group list[] = { { web, web_names, 0 }, { none, none_names, 0 } };
    static struct portnames_entry names[] = { { 22, "ssh" }, { 8080, "http-alt" } };
    static struct portnames ports = { names, 2 };
    static struct settings s = { .groups = list, .group_count = 2, .ports = &ports };

    return &s;
}

static struct policy *read_text(const char *text, size_t len, int expected)
{
    struct policy_file file = { "/p/50-a.policy", text, len };
    struct policy *p = NULL;

    complaints_free(&complaints);
    EQ(policy_read(&file, 1, groups(), &host, &p, &complaints), expected);
    return p;
}

static struct policy *policy_of(const char *text)
{
    struct policy *p = read_text(text, strlen(text), 0);

    if (!p)
        printf("    %s\n", why);
    REQUIRE(p != NULL);
    return p;
}

/* ---- who asks ---- */

static struct title titles[8];
static struct policy_end ends[8];
static unsigned turn;

/* "web1": who has that name; "web1?": who is called so, and a newer one has the name; with "/UUID" behind it, and again a "?" if another
 * has that; "@unix", "@unix/USER" with the groups 2000 and up for USER 1000, "@vsock". */
static const struct policy_end *end_of(const char *word)
{
    static const gid_t alices[] = { 100, 2000, 2001 }, bobs[] = { 100 };
    static const struct policy_peer alice = { 1000, alices, 3 }, bob = { 1001, bobs, 1 };
    static char text[8][100];
    struct policy_end *end = &ends[turn % 8];
    struct title *title = &titles[turn % 8];
    char *at = text[turn++ % 8], *slash;

    *end = (struct policy_end){ .kind = !strncmp(word, "@unix", 5) ? POLICY_UNIX : *word == '@' ? POLICY_VSOCK : POLICY_GUEST };
    if (end->kind == POLICY_UNIX && word[5])
        end->peer = strcmp(word + 6, "alice") ? &bob : &alice;
    if (end->kind != POLICY_GUEST)
        return end;
    snprintf(at, 100, "%s", word);
    *title = (struct title){ .name = at, .uuid = "", .has_name = true };
    if ((slash = strchr(at, '/'))) {
        *slash = '\0';
        title->uuid = slash + 1;
        title->has_uuid = slash[1 + strcspn(slash + 1, "?")] == '\0';
        slash[1 + strcspn(slash + 1, "?")] = '\0';
    }
    if (strchr(at, '?')) {
        *strchr(at, '?') = '\0';
        title->has_name = false;
    }
    end->guest = title;
    return end;
}

/* The number of the line that decides, negative if it denies, 0 for none. */
static int decides(const struct policy *p, const char *from, const char *to, uint32_t port)
{
    const struct policy_line *line = policy_decide(p, end_of(from), end_of(to), port);

    if (!line)
        return 0;
    EQ(policy_allows(line), line->allows);
    return line->allows ? (int)line->number : -(int)line->number;
}

struct asked {
    const char *from, *to;
    uint32_t port;
    int line;
};

static void judge(const char *text, const struct asked *asked, size_t count)
{
    struct policy *p = policy_of(text);

    for (size_t i = 0; i < count; i++) {
        int line = decides(p, asked[i].from, asked[i].to, asked[i].port);

        if (line != asked[i].line)
            printf("    %s to %s, port %u: line %d\n", asked[i].from, asked[i].to, asked[i].port, line);
        EQ(line, asked[i].line);
    }
    policy_free(p);
}

#define JUDGE(text, ...)                                            \
    do {                                                            \
        static const struct asked asked[] = { __VA_ARGS__ };        \
        judge(text, asked, sizeof asked / sizeof *asked);           \
    } while (0)

/* ---- decisions ---- */

static void the_first_line_that_fits_decides(void)
{
    JUDGE("22 web1 db1 deny\n* web1 db1 allow\n* web1 db1 deny\n",
          { "web1", "db1", 22, -1 }, { "web1", "db1", 23, 2 }, { "db1", "web1", 23, 0 }, { "web2", "db1", 23, 0 });
}

static void where_no_line_fits_the_answer_is_no(void)
{
    struct policy *p = policy_of("# nothing\n\n");

    EQ(decides(p, "web1", "db1", 1), 0);
    EQ(decides(p, "@unix", "db1", 1), 0);
    CU_ASSERT_FALSE(policy_allows(NULL));
    policy_free(p);
}

static void ports_are_those_of_the_destination_with_both_ends_of_a_range(void)
{
    JUDGE("22,8000-8099,0,4294967294 @any @any allow\n",
          { "a", "b", 22, 1 }, { "a", "b", 21, 0 }, { "a", "b", 23, 0 }, { "a", "b", 8000, 1 }, { "a", "b", 8099, 1 },
          { "a", "b", 7999, 0 }, { "a", "b", 8100, 0 }, { "a", "b", 0, 1 }, { "a", "b", 4294967294, 1 }, { "a", "b", 1, 0 });
    JUDGE("* @any @any allow\n", { "a", "b", 0, 1 }, { "a", "b", UINT32_MAX, 1 });
    JUDGE("7-7 @any @any allow\n", { "a", "b", 7, 1 }, { "a", "b", 8, 0 });
}

static void any_is_each_guest_and_nobody_else(void)
{
    JUDGE("1 @any @any allow\n2 @any @unix allow\n3 @unix @any allow\n",
          { "a", "b", 1, 1 }, { "a?", "b?", 1, 1 }, { "@unix", "b", 1, 0 }, { "a", "@unix", 1, 0 }, { "@vsock", "b", 1, 0 },
          { "a", "@unix", 2, 2 }, { "a", "@vsock", 2, 0 }, { "a", "b", 2, 0 }, { "@unix", "a", 3, 3 }, { "@vsock", "a", 3, 0 });
}

static void ports_may_have_names(void)
{
    struct policy *p = policy_of("1-21,ssh,http-alt,9000-9001 a b allow\n");

    for (uint32_t port = 0; port < 10000; port++)
        EQ(decides(p, "a", "b", port) > 0, (port >= 1 && port <= 22) || port == 8080 || port == 9000 || port == 9001);
    policy_free(p);
}

static void the_host_is_both_kinds_of_its_programs(void)
{
    JUDGE("1 @host @any allow\n1 @any @host allow\n2 @vsock @any allow\n2 @any @vsock allow\n",
          { "@unix", "a", 1, 1 }, { "@unix/alice", "a", 1, 1 }, { "@vsock", "a", 1, 1 }, { "a", "b", 1, 0 }, { "a", "@unix", 1, 2 },
          { "a", "@vsock", 1, 2 }, { "@unix", "a", 2, 0 }, { "@vsock", "a", 2, 3 }, { "a", "@unix", 2, 0 }, { "a", "@vsock", 2, 4 });
}

static void a_program_is_known_by_its_user_and_by_each_of_its_groups(void)
{
    JUDGE("1 @unix/user:alice @any allow\n2 @unix/group:ops @any allow\n1,2 @unix @any deny\n",
          { "@unix/alice", "a", 1, 1 }, { "@unix/bob", "a", 1, -3 }, { "@unix/alice", "a", 2, 2 }, { "@unix/bob", "a", 2, -3 },
          { "@unix", "a", 1, -3 }, { "@unix", "a", 2, -3 }, { "@vsock", "a", 1, 0 });
}

static void a_policy_says_whether_it_asks_for_users_and_groups(void)
{
    static const struct { const char *text; bool user, groups; } is[] = {
        { "* @unix @any allow\n", false, false }, { "* @unix/user:alice @any allow\n", true, false },
        { "* @unix/group:ops @any allow\n* @any @any deny\n", false, true }
    };

    for (size_t i = 0; i < sizeof is / sizeof *is; i++) {
        struct policy *p = policy_of(is[i].text);

        EQ(p->asks_user, is[i].user);
        EQ(p->asks_groups, is[i].groups);
        policy_free(p);
    }
}

static void a_group_is_its_guests(void)
{
    JUDGE("1 @group:web @any allow\n2 @any @group:web allow\n3 @group:none @any allow\n",
          { "web1", "db1", 1, 1 }, { "web2", "db1", 1, 1 }, { "db1", "web1", 1, 0 }, { "x/" OTHER, "db1", 1, 1 },
          { "db1", "web2", 2, 2 }, { "db1", "db2", 2, 0 }, { "web1", "db1", 3, 0 }, { "@unix", "db1", 1, 0 });
}

static void a_guest_is_known_by_its_name_or_its_uuid(void)
{
    JUDGE("1 uuid:" UUID " db1 allow\n2 web1 uuid:01234567-89AB-CDEF-0123-456789ABCDEF allow\n",
          { "My VM/" UUID, "db1", 1, 1 }, { "My VM/" OTHER, "db1", 1, 0 }, { "uuid:" UUID, "db1", 1, 0 },
          { "web1", "x/" UUID, 2, 2 }, { "web1", "x/" UUID "?", 2, 0 }, { "web1/" UUID, "db1", 1, 1 });
}

/* An older domain of the name is none of those that a line lets through, and it is one of those whom a line keeps out. */
static void a_domain_that_has_lost_its_name_gains_nothing_by_that(void)
{
    JUDGE("1 web1 db1 allow\n2 web1 @any deny\n2 @any db1 deny\n3 @group:web @any deny\n4 uuid:" UUID " @any deny\n2-5 @any @any allow\n",
          { "web1", "db1", 1, 1 }, { "web1?", "db1", 1, 0 }, { "web1", "db1?", 1, 0 }, { "web1?", "x", 2, -2 }, { "x", "db1?", 2, -3 },
          { "web2?", "x", 3, -4 }, { "x/" UUID "?", "y", 4, -5 }, { "web1?", "x", 5, 6 });
}

/* ---- the text ---- */

static void a_line_is_shown_as_it_was_written(void)
{
    struct policy *p = policy_of("\xef\xbb\xbf# a comment \xc3\xa4\r\n\t 22,80\t web1   db1 allow   # why \x01\r\n\n*  @any @any\tdeny");

    EQ(p->count, 2);
    EQ(strcmp(p->lines[0].text, "22,80\t web1   db1 allow"), 0);
    EQ(p->lines[0].number, 2);
    EQ(strcmp(p->lines[0].file, "/p/50-a.policy"), 0);
    EQ(strcmp(p->lines[1].text, "*  @any @any\tdeny"), 0);
    EQ(p->lines[1].number, 4);
    policy_free(p);
}

static void files_follow_one_another(void)
{
    struct policy_file files[] = { { "/p/1", "1 a b allow", 11 }, { "/p/2", "", 0 }, { "/p/3", "1 a b deny\n2 a b deny\n", 22 } };
    struct policy *p = NULL;

    REQUIRE(policy_read(files, 3, groups(), &host, &p, &complaints) == 0);
    EQ(p->count, 3);
    EQ(decides(p, "a", "b", 1), 1);
    EQ(decides(p, "a", "b", 2), -2);
    EQ(strcmp(p->lines[2].file, "/p/3"), 0);
    policy_free(p);
}

static void collect(const char *line, void *arg)
{
    strcat(strcat(arg, line), "\n");
}

/* A line that is wrong takes nothing from those behind it. */
static void all_errors_of_all_files_are_told_at_once(void)
{
    static const char one[] = "22,23 web1 nobody/ allow\n1 a b allow\n22 a b\n", two[] = "x a b deny\n* a b deny\n";
    struct policy_file files[] = { { "/p/1", one, sizeof one - 1 }, { "/p/2", two, sizeof two - 1 } };
    struct policy *p = NULL;
    char all[4096] = "";

    complaints_free(&complaints);
    EQ(policy_read(files, 2, groups(), &host, &p, &complaints), -EINVAL);
    CU_ASSERT_PTR_NULL(p);
    EQ(complaints.count, 3);
    complaints_tell(&complaints, collect, all);
    CU_ASSERT_TRUE(strstr(all, "/p/1:1: nobody/") && strstr(all, "/p/1:3: a line is") && strstr(all, "/p/2:1: ports x:"));
}

static void an_error_names_file_and_line_and_what_is_right(void)
{
    static const struct { const char *text, *has; } bad[] = {
        { "# x\n\n22 web1 db1\n", "/p/50-a.policy:3: a line is PORTS SOURCE DESTINATION ACTION, such as \"22 web1 db1 allow\"; this one has fewer" },
        { "22 web1 db1 allow now\n", ":1: a line is PORTS SOURCE DESTINATION ACTION, such as \"22 web1 db1 allow\"; this one has more" },
        { "22, 80 web1 db1 allow\n", ":1: ports 22, 80: there is no blank between them: 22,80" },
        { "sshd web1 db1 allow\n", ":1: ports sshd: they are *, or numbers from 0 to 4294967294, ranges of them, and names" },
        { "a-name-of-thirty-three-characters web1 db1 allow\n", "ports a-name-of-thirty-three-characters: they are" },
        { "ssh-23 web1 db1 allow\n", "ports ssh-23: they are" },
        { "22-ssh web1 db1 allow\n", "ports 22-ssh: they are" },
        { "22- web1 db1 allow\n", "ports 22-: they are" },
        { "-22 web1 db1 allow\n", "ports -22: they are" },
        { "22, web1 db1 allow\n", "ports 22,: they are" },
        { ",22 web1 db1 allow\n", "ports ,22: they are" },
        { "22;80 web1 db1 allow\n", "ports 22;80: they are" },
        { "1-2-3 web1 db1 allow\n", "ports 1-2-3: they are" },
        { "4294967295 web1 db1 allow\n", "ports 4294967295: they are" },
        { "99999999999999999999999 web1 db1 allow\n", "they are" },
        { "*,1 web1 db1 allow\n", "ports *,1: they are" },
        { "8099-8000 web1 db1 allow\n", ":1: ports 8099-8000: 8099-8000 goes from more to less; it is 8000-8099" },
        { "22 web1 db1 permit\n", ":1: permit: an action is allow or deny" },
        { "22 web1 db1 Allow\n", "Allow: an action is allow or deny" },
        { "22 * db1 allow\n", ":1: *: it must be NAME, uuid:UUID, @any, @group:NAME, @host, @unix, @unix/user:NAME, @unix/group:NAME or @vsock" },
        { "22 db1 web/1 allow\n", "web/1: it must be NAME, uuid:UUID, @any, @group:NAME, @host, @unix or @vsock" },
        { "22 :5 db1 allow\n", ":5: it must be NAME" },
        { "22 @all db1 allow\n", ":1: @all: a source is NAME, uuid:UUID, @any" },
        { "22 web1 @all allow\n", "@all: a destination is NAME, uuid:UUID, @any, @group:NAME, @host, @unix or @vsock" },
        { "22 @unix/root db1 allow\n", "@unix/root: a source is" },
        { "22 @anybody db1 allow\n", "@anybody: a source is" },
        { "22 @unix/user:bob db1 allow\n", ":1: @unix/user:bob: there is no such user on this host" },
        { "22 @unix/group:alice db1 allow\n", "@unix/group:alice: there is no such group on this host" },
        { "22 @unix/group: db1 allow\n", "@unix/group: its name is missing: @unix/group:NAME" },
        { "22 @unix/user:broken db1 allow\n", "@unix/user:broken: it cannot be looked up: Input/output error" },
        { "22 web1 @unix/user:alice allow\n", ":1: @unix/user:alice: whom a program belongs to is asked of a source alone; as a destination it is @unix" },
        { "22 @group:db db1 allow\n", ":1: @group:db: there is no section [group db] in xvsd.conf, with guests = NAME, ... in it" },
        { "22 web1 @group: allow\n", "@group:: there is no section [group ]" },
        { "22 uuid:5 db1 allow\n", ":1: uuid:5 is no UUID: uuid:xxxxxxxx-" },
        { "22 @unix @host allow\n", ":1: @unix @host: one of the two is a guest; programs of the host reach one another without us" },
        { "22 @unix/user:alice @vsock deny\n", "one of the two is a guest" },
        { "22 web\x01 db1 allow\n", ":1: byte 0x01: a line is made of printable ASCII characters, apart from comments" },
        { "22 web\xc3\xa4 db1 allow\n", "byte 0xc3: a line is made of" },
        { "22 web1#x db1 allow\n", "web1#x: it must be NAME" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CU_ASSERT_PTR_NULL(read_text(bad[i].text, strlen(bad[i].text), -EINVAL));
        if (!strstr(why, bad[i].has) || strncmp(why, "/p/50-a.policy:", 15))
            printf("    \"%s\", not \"%s\"\n", why, bad[i].has);
        CU_ASSERT_PTR_NOT_NULL(strstr(why, bad[i].has));
        EQ(strncmp(why, "/p/50-a.policy:", 15), 0);
    }
    CU_ASSERT_PTR_NULL(read_text("22 a b allow\n\0\n", 15, -EINVAL));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, ":2: there is a byte 0 in the line: is this a text?"));
}

static void an_error_is_cut_and_not_more_than_there_is_room_for(void)
{
    char text[3000];

    memset(text, 'x', sizeof text);
    CU_ASSERT_PTR_NULL(read_text(text, sizeof text, -EINVAL));
    CU_ASSERT_TRUE(strlen(why) < sizeof why);
    text[1000] = text[2000] = text[2500] = ' ';
    CU_ASSERT_PTR_NULL(read_text(text, sizeof text, -EINVAL));
    CU_ASSERT_TRUE(strlen(why) < sizeof why);
}

/* ---- over the wall ---- */

static void a_pack_gives_the_same_policy_without_files_and_users(void)
{
    static const char text[] = "1 @unix/user:alice a allow\n2 @unix/group:ops a allow\n";
    struct policy_pack pack = { 0 };
    struct policy *p = NULL;

    complaints_free(&complaints);
    REQUIRE(policy_pack_file(&pack, "/p/1\n", text, sizeof text - 1) == 0);
    REQUIRE(policy_pack_file(&pack, "/p/2", "* a b deny", 10) == 0);
    EQ(policy_pack_read(&pack, groups(), NULL, &p, &complaints), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "there is no such user"));
    REQUIRE(policy_pack_id(&pack, true, "alice", 7) == 0);
    REQUIRE(policy_pack_id(&pack, false, "alice", 1000) == 0);
    REQUIRE(policy_pack_id(&pack, true, "ops", 2000) == 0);
    EQ(policy_pack_read(&pack, groups(), NULL, &p, &complaints), 0);
    REQUIRE(p != NULL);
    EQ(p->count, 3);
    EQ(decides(p, "@unix/alice", "a", 1), 1);
    EQ(decides(p, "@unix/bob", "a", 1), 0);
    EQ(decides(p, "@unix/alice", "a", 2), 2);
    EQ(decides(p, "a", "b", 2), -1);
    EQ(strcmp(p->lines[0].file, "/p/1\n"), 0);
    EQ(strcmp(p->lines[2].file, "/p/2"), 0);
    policy_free(p);
    policy_pack_free(&pack);
}

static void what_is_no_pack_is_refused(void)
{
    static const char *const bad[] = {
        "x", "file 1 1\na", "file 1 1 1\nab", "file 99999999999 1\n", "file 18446744073709551615 2\nab", "file 1\nab", "file\n", "user 1\n",
        "user x name\n", "group  name\n", "user 4294967296 name\n", "file 1 1\nabrest", "\n"
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct policy_pack pack = { 0 };
        struct policy *p = NULL;

        REQUIRE(policy_pack_bytes(&pack, bad[i], strlen(bad[i])) == 0);
        EQ(policy_pack_read(&pack, groups(), NULL, &p, &complaints), -EPROTO);
        CU_ASSERT_PTR_NULL(p);
        policy_pack_free(&pack);
    }
}

/* ---- the directory ---- */

static const char *dir;

static void put(const char *name, const char *text)
{
    char path[300];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    REQUIRE(f != NULL);
    fputs(text, f);
    fclose(f);
}

static void take(const char *name)
{
    char path[300];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    EQ(unlink(path), 0);
}

static struct policy *load(const char *path, bool given, int expected)
{
    struct policy_pack pack = { 0 };
    struct policy *p = NULL, *again = NULL;

    complaints_free(&complaints);
    EQ(policy_load(path, given, groups(), &pack, &p, &complaints), expected);
    if (!expected) {
        REQUIRE(p != NULL);
        EQ(policy_pack_read(&pack, groups(), NULL, &again, &complaints), 0);
        REQUIRE(again != NULL);
        EQ(again->count, p->count);
    }
    policy_free(again);
    policy_pack_free(&pack);
    return p;
}

static void files_are_read_in_the_order_of_their_names_and_others_are_left_alone(void)
{
    struct policy *p;

    dir = harness_directory("policy");
    REQUIRE(dir != NULL);
    put("60-b.policy", "1 a b deny\n2 a b deny\n");
    put("50-a.policy", "1 a b allow\n");
    put("A.policy", "3 a b deny");
    put("10-x.policy~", "* a b deny\n");
    put(".hidden.policy", "nonsense\n");
    put("README", "nonsense\n");
    put(".policy", "nonsense\n");
    p = load(dir, true, 0);
    REQUIRE(p != NULL);
    EQ(p->count, 4);
    EQ(decides(p, "a", "b", 1), 1);
    EQ(decides(p, "a", "b", 2), -2);
    CU_ASSERT_PTR_NOT_NULL(strstr(p->lines[0].file, "/50-a.policy"));
    CU_ASSERT_PTR_NOT_NULL(strstr(p->lines[3].file, "/A.policy"));
    policy_free(p);
    put("55-bad.policy", "* a b deny\n22 a b\n");
    CU_ASSERT_PTR_NULL(load(dir, true, -EINVAL));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "/55-bad.policy:2: a line is"));
    take("55-bad.policy");
}

static void users_and_groups_are_those_of_the_host(void)
{
    struct policy *p;

    dir = harness_directory("policy");
    REQUIRE(dir != NULL);
    put("1.policy", "1 @unix/user:root a allow\n2 @unix/group:4000123456 a allow\n");
    p = load(dir, true, 0);
    REQUIRE(p != NULL);
    EQ(p->lines[0].from.id, 0);
    EQ(p->lines[1].from.id, 4000123456);
    policy_free(p);
    put("1.policy", "1 @unix/user:no-such-user a allow\n");
    CU_ASSERT_PTR_NULL(load(dir, true, -EINVAL));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "1.policy:1: @unix/user:no-such-user: there is no such user on this host"));
    put("1.policy", "1 @unix/user:4294967295 a allow\n");
    CU_ASSERT_PTR_NULL(load(dir, true, -EINVAL));
}

static void what_is_no_file_is_refused_and_a_file_has_its_bounds(void)
{
    static char big[CONFDIR_BYTES];
    char path[300];
    FILE *f;

    dir = harness_directory("policy");
    REQUIRE(dir != NULL);
    snprintf(path, sizeof path, "%s/5.policy", dir);
    REQUIRE(mkfifo(path, 0600) == 0);
    CU_ASSERT_PTR_NULL(load(dir, true, -EINVAL));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "5.policy: it is to be a regular file"));
    REQUIRE(unlink(path) == 0 && symlink("/nonexistent", path) == 0);
    CU_ASSERT_PTR_NULL(load(dir, true, -EINVAL));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "cannot read "));
    REQUIRE(unlink(path) == 0);
    put("\xc3\xa4.policy", "");
    CU_ASSERT_PTR_NULL(load(dir, true, -EINVAL));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "printable ASCII"));
    take("\xc3\xa4.policy");
    REQUIRE((f = fopen(path, "w")) != NULL);
    memset(big, '\n', sizeof big);
    EQ(fwrite(big, 1, sizeof big, f), sizeof big);
    fclose(f);
    policy_free(load(dir, true, 0));
    EQ(truncate(path, (off_t)sizeof big + 1), 0);
    CU_ASSERT_PTR_NULL(load(dir, true, -EINVAL));
    EQ(truncate(path, (off_t)sizeof big), 0);
    put("6.policy", "\n");
    CU_ASSERT_PTR_NULL(load(dir, true, -EINVAL));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "6.policy: such files have at most 1048576 bytes together"));
}

static void without_a_directory_the_default_holds_and_without_files_nothing_is_allowed(void)
{
    char path[300];
    struct policy *p;

    dir = harness_directory("policy");
    REQUIRE(dir != NULL);
    p = load(dir, false, 0);
    REQUIRE(p != NULL);
    EQ(p->count, 0);
    policy_free(p);
    snprintf(path, sizeof path, "%s/none", dir);
    CU_ASSERT_PTR_NULL(load(path, true, -ENOENT));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "cannot read the policies in "));
    p = load(path, false, 0);
    REQUIRE(p != NULL);
    CU_ASSERT_TRUE(decides(p, "@unix", "a", 22) > 0);
    CU_ASSERT_TRUE(decides(p, "@unix/bob", "a", 22) > 0);
    CU_ASSERT_TRUE(decides(p, "a", "@unix", 22) > 0);
    CU_ASSERT_TRUE(decides(p, "a", "b", 22) < 0);
    CU_ASSERT_TRUE(decides(p, "a", "@vsock", 22) < 0);
    CU_ASSERT_TRUE(decides(p, "@vsock", "a", 22) < 0);
    EQ(strncmp(p->lines[0].file, "(built in)/", 11), 0);
    policy_free(p);
}

static const struct test tests[] = {
    TEST(the_first_line_that_fits_decides), TEST(where_no_line_fits_the_answer_is_no),
    TEST(ports_are_those_of_the_destination_with_both_ends_of_a_range), TEST(any_is_each_guest_and_nobody_else),
    TEST(ports_may_have_names), TEST(the_host_is_both_kinds_of_its_programs), TEST(a_program_is_known_by_its_user_and_by_each_of_its_groups),
    TEST(a_policy_says_whether_it_asks_for_users_and_groups), TEST(a_group_is_its_guests),
    TEST(a_guest_is_known_by_its_name_or_its_uuid), TEST(a_domain_that_has_lost_its_name_gains_nothing_by_that),
    TEST(a_line_is_shown_as_it_was_written), TEST(files_follow_one_another),
    TEST(all_errors_of_all_files_are_told_at_once), TEST(an_error_names_file_and_line_and_what_is_right), TEST(an_error_is_cut_and_not_more_than_there_is_room_for),
    TEST(a_pack_gives_the_same_policy_without_files_and_users), TEST(what_is_no_pack_is_refused),
    TEST(files_are_read_in_the_order_of_their_names_and_others_are_left_alone), TEST(users_and_groups_are_those_of_the_host),
    TEST(what_is_no_file_is_refused_and_a_file_has_its_bounds),
    TEST(without_a_directory_the_default_holds_and_without_files_nothing_is_allowed)
};

int main(int argc, char **argv)
{
    return harness_run("policy", tests, sizeof tests / sizeof *tests, argc, argv);
}
