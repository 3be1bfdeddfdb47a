/* vfiodrivertest.c: which VFIO driver this kernel has for a device
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "util/virerror.h"
#include "util/virvfiodriver.h"

#include <string.h>

#define DEVICE "0000:41:10.0"
#define MODALIAS "pci:v000015B3d0000101Esv000015B3sd00000001bc02sc00i00"
#define GENERIC "alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n"
#define MLX5 "alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci\n"
#define EXACT "alias vfio_pci:v000015B3d0000101Esv000015B3sd*bc*sc*i* exact_vfio_pci\n"

/* @aliases: NULL: there is no such file */
static fakeHost *
hostWith(const char *aliases)
{
    fakeHost *fake = fakeHostNew();

    fakeHostAddDevice(fake, DEVICE, 0, "mlx5_core");
    fakeHostFile(fake, MODALIAS "\n", "sys/devices/pci0000:00/" DEVICE "/modalias");
    if (aliases)
        fakeHostModules(fake, aliases);
    return fake;
}

static void
assertFinds(fakeHost *fake, const char *expected, int code, const char *part)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *driver = NULL;
    virtPCIAddress address;

    g_assert_true(virtPCIAddressParse(DEVICE, &address, NULL));
    driver = virtVFIODriverFind(fake->host, &address, &error);
    g_assert_cmpstr(driver, ==, expected);
    if (expected) {
        g_assert_no_error(error);
        return;
    }
    g_assert_error(error, VIRT_ERROR, code);
    g_assert_nonnull(strstr(error->message, part));
}

/* The alias with the fewest wildcards counts, wherever it stands; vfio-pci itself is no variant. */
static void
testAliases(void)
{
    static const struct {
        const char *aliases, *driver;
    } cases[] = {
        {MLX5, "mlx5_vfio_pci"},
        {GENERIC MLX5, "mlx5_vfio_pci"},
        {MLX5 GENERIC, "mlx5_vfio_pci"},
        {EXACT MLX5, "exact_vfio_pci"},
        {MLX5 EXACT, "exact_vfio_pci"},
        {"# Aliases\n\nalias pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_core\n" MLX5, "mlx5_vfio_pci"},
        {"alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* last_vfio_pci", "last_vfio_pci"},
        {"", NULL},
        {GENERIC, NULL},
        {"alias vfio_pci:v000015B3d0000101Csv*sd*bc*sc*i* mlx5_vfio_pci\n", NULL},
        {"alias pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_core\n", NULL},
        {"alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i*\n", NULL},
        {"alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* \n", NULL},
        {"alias vfio_pci:\n", NULL},
        {"alias vfio_pci:", NULL},
        {"alias vfio_pci:[v000015B3 mlx5_vfio_pci\n", NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        fakeHost *fake = hostWith(cases[i].aliases);

        assertFinds(fake, cases[i].driver, VIRT_ERROR_NOT_FOUND, "no alias vfio_pci: fits its modalias " MODALIAS);
        fakeHostFree(fake);
    }
}

/* That nobody can tell is no "there is none". */
static void
testUnreadable(void)
{
    fakeHost *fake = hostWith(NULL);
    g_autofree char *big = g_strnfill(VIRT_VFIO_ALIASES_MAX + 1, '\n');

    assertFinds(fake, NULL, VIRT_ERROR_HOST, "Cannot read the modules of this kernel");
    fakeHostModules(fake, big);
    assertFinds(fake, NULL, VIRT_ERROR_HOST, "is longer than " G_STRINGIFY(VIRT_VFIO_ALIASES_MAX) " bytes");
    fakeHostFree(fake);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vfiodriver/aliases", testAliases);
    g_test_add_func("/vfiodriver/unreadable", testUnreadable);
    return g_test_run();
}
