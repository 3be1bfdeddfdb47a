/* testfiles.c: golden files: read, compare, regenerate; and documents taken apart
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <glib/gstdio.h>
#include <stdarg.h>
#include <string.h>

#include "conf/choice_conf.h"
#include "conf/domain_conf.h"
#include "testfiles.h"

/* Whether expectations are to be rewritten. */
bool
virtTestRegenerate(void)
{
    return g_strcmp0(g_getenv("VIRT_TEST_REGENERATE"), "1") == 0;
}

/* A path below tests/; the caller frees it. */
char *
virtTestPath(const char *format, ...)
{
    const char *dir = g_getenv("SRCDIR");
    g_autofree char *name = NULL;
    va_list args;

    va_start(args, format);
    name = g_strdup_vprintf(format, args);
    va_end(args);
    return g_build_filename(dir ? dir : ".", name, NULL);
}

/* The text of a file, or NULL where there is none. */
char *
virtTestRead(const char *path)
{
    char *text = NULL;

    g_file_get_contents(path, &text, NULL, NULL);
    return text;
}

/* What messages call the document of a case: its file's name without the folder. The caller frees it. */
char *
virtTestFile(const char *name)
{
    g_autofree char *base = g_path_get_basename(name);

    return g_strconcat(base, ".xml", NULL);
}

/* Fail the running test unless the file at @path says @actual. */
void
virtTestCompare(const char *path, const char *actual)
{
    g_autofree char *expected = virtTestRead(path);
    g_autoptr(GError) error = NULL;

    if (g_strcmp0(expected, actual) == 0)
        return;
    if (virtTestRegenerate()) {
        g_autofree char *folder = g_path_get_dirname(path);

        g_assert_cmpint(g_mkdir_with_parents(folder, 0777), ==, 0);
        g_file_set_contents(path, actual, -1, &error);
        g_assert_no_error(error);
        return;
    }
    g_test_message("%s should say:\n%s\nbut it is now:\n%s", path, expected ? expected : "(no such file)", actual);
    g_test_fail();
}

/* The same for what is in the file @name (below tests/) between the lines ".. begin PART" and ".. end PART". */
void
virtTestSection(const char *name, const char *part, const char *actual)
{
    g_autofree char *path = virtTestPath("%s", name);
    g_autofree char *text = virtTestRead(path);
    g_autofree char *begin = g_strdup_printf("\n.. begin %s", part);
    g_autofree char *end = g_strdup_printf("\n.. end %s", part);
    g_autofree char *whole = NULL;
    const char *from = text ? strstr(text, begin) : NULL;
    const char *to;

    g_assert_nonnull(from);
    from = strchr(from + 1, '\n');
    to = strstr(from, end);
    g_assert_nonnull(to);
    whole = g_strdup_printf("%.*s\n\n%s%s", (int)(from - text), text, actual, to + 1);
    virtTestCompare(path, whole);
}

/* Fail with the name of each netdev's attribute that only one of two sets of VIRT_NETDEV_BITs has. */
void
virtTestCompareAttrs(guint actual, guint expected)
{
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        bool is = actual & VIRT_NETDEV_BIT(attr), wanted = expected & VIRT_NETDEV_BIT(attr);

        if (is == wanted)
            continue;
        g_test_message("attribute \"%s\": given %d, expected %d", virtNetdevAttrs[attr].name, is, wanted);
        g_test_fail();
    }
}

/* An expectation that is no more: an error in itself, unless regenerating. */
void
virtTestRemove(const char *path)
{
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return;
    if (virtTestRegenerate()) {
        g_assert_cmpint(g_unlink(path), ==, 0);
        return;
    }
    g_test_message("%s is there, but should not be", path);
    g_test_fail();
}

static gint
compareNames(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Adds the cases in the folder @path and in those within it; @inside says where in the tree that is. */
static void
collectCases(const char *path, const char *inside, GPtrArray *names)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) handle = g_dir_open(path, 0, &error);
    const char *entry;

    g_assert_no_error(error);
    while ((entry = g_dir_read_name(handle))) {
        g_autofree char *below = g_build_filename(path, entry, NULL);
        g_autofree char *name = g_strconcat(inside, entry, NULL);

        if (g_file_test(below, G_FILE_TEST_IS_DIR)) {
            g_autofree char *folder = g_strconcat(name, "/", NULL);

            collectCases(below, folder, names);
        } else if (g_str_has_suffix(name, ".xml")) {
            g_ptr_array_add(names, g_strndup(name, strlen(name) - strlen(".xml")));
        }
    }
}

/* The names of all cases below @dir, sorted: DIR/SUBJECT/NAME.xml is "SUBJECT/NAME". */
GPtrArray *
virtTestCases(const char *dir)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *path = virtTestPath("%s", dir);

    collectCases(path, "", names);
    g_ptr_array_sort(names, compareNames);
    return names;
}

/* All of a document that is not ours, without white space: cut by other means than the code under test. */
char *
virtTestSkeleton(const char *text)
{
    static const char *const ours[] = {
        "<(net|m)dev\\b[^>]*/>",
        "<[pv]f\\b[^>]*/>",
        "<source\\b[^>]*?\\K\\s+pool='[^']*'",
        "<netdev\\b[^>]*[^/>]>.*?</netdev\\s*>",
        "<mdev\\b[^>]*[^/>]>.*?</mdev\\s*>",
        "<vgpu\\b[^>]*/>",
        "<function\\b[^>]*/>",
        "<(vdpa|mtu)\\b[^>]*/>",  /* the second is one of the first's parts, where libvirt takes none */
        "<model type='virtio'/>", /* which libvirt would add later */
        "<([\\w.-]+:)?hostdevs\\b[^>]*>.*?</\\1?hostdevs\\s*>|<([\\w.-]+:)?hostdevs\\b[^>]*/>",
        "\\s+",
        "<metadata/>|<metadata></metadata>",
    };
    char *left = g_strdup(text);

    for (guint i = 0; i < G_N_ELEMENTS(ours); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GRegex) regex = g_regex_new(ours[i], G_REGEX_DOTALL | G_REGEX_RAW, 0, &error);
        char *next;

        g_assert_no_error(error);
        next = g_regex_replace_literal(regex, left, -1, 0, "", 0, &error);
        g_assert_no_error(error);
        g_free(left);
        left = next;
    }
    return left;
}

/* What a document means, as text: its domain's hostdevs with their settings in canonical form, or what is wrong. */
char *
virtTestMeaning(const char *xml)
{
    static const virtXmlLayout layout = {"", "\n", " "};
    g_autoptr(GError) error = NULL;
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(xml, strlen(xml), NULL, 0, &error);
    GString *out = g_string_new(NULL);

    if (!domain)
        return g_string_free(g_string_append(out, error->message), FALSE);
    g_string_append(out, domain->name ? domain->name : "");
    for (guint i = 0; i < domain->hostdevs->len; i++) {
        const virtHostdev *hostdev = domain->hostdevs->pdata[i];

        g_string_append_printf(out, "\n%d ", hostdev->managed);
        virtChoiceFormatAttr(out, &hostdev->choice);
        virtChoiceFormatXml(out, &hostdev->choice, "", " ");
        virtHandleFormatXml(out, &hostdev->handle, "");
        virtSettingsFormat(out, &hostdev->settings, VIRT_SETTING_FORMAT_WRITTEN, &layout);
    }
    return g_string_free(out, FALSE);
}
