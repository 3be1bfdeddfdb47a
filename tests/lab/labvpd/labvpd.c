// SPDX-License-Identifier: GPL-2.0-only
/*
 * labvpd: VPD for cards that have none, since QEMU emulates no device with it.
 *
 *   modprobe labvpd slots=0000:01:00.0,0000:02:00.0 vpd=HEX,HEX
 *
 * The capability lives in the accessors of a bus's configuration space: for the function in the slot, they show one more
 * capability behind its last one, with the two registers through which the kernel reads VPD a dword at a time. The kernel
 * looks for capabilities when it finds a device, so the function has to be removed and found again after that. Nothing else
 * of it changes.
 */
#include <linux/hex.h>
#include <linux/module.h>
#include <linux/pci.h>

#define CARDS_MAX 4
#define PLACE 0xe0		/* in configuration space; free in QEMU's igb */

static char *slots[CARDS_MAX];
static char *vpd[CARDS_MAX];	/* at most 1024 characters each, like all parameters */
static int n_slots, n_vpd;
module_param_array(slots, charp, &n_slots, 0444);
module_param_array(vpd, charp, &n_vpd, 0444);

struct card {
	struct pci_bus *bus;
	unsigned int devfn;
	u8 last;		/* where its last capability is */
	u16 address;		/* the registers */
	u32 data;
	struct pci_ops *stock, ours;
	const char *hex;
};
static struct card cards[CARDS_MAX];

static struct card *card_find(struct pci_bus *bus)
{
	int i;

	for (i = 0; i < n_slots; i++)
		if (cards[i].bus == bus)
			return &cards[i];
	return NULL;
}

static u8 card_byte(const struct card *card, unsigned int at)
{
	u8 byte = 0;

	if (2 * at + 1 < strlen(card->hex) && hex2bin(&byte, card->hex + 2 * at, 1))
		byte = 0;
	return byte;
}

/* One byte of configuration space, which the device itself says is @was. */
static u8 card_config(const struct card *card, int where, u8 was)
{
	if (where == card->last + PCI_CAP_LIST_NEXT)
		return PLACE;
	switch (where - PLACE) {
	case PCI_CAP_LIST_ID:
		return PCI_CAP_ID_VPD;
	case PCI_CAP_LIST_NEXT:
		return 0;
	case PCI_VPD_ADDR:
		return card->address;
	case PCI_VPD_ADDR + 1:
		return card->address >> 8;
	case PCI_VPD_DATA ... PCI_VPD_DATA + 3:
		return card->data >> 8 * (where - PLACE - PCI_VPD_DATA);
	}
	return was;
}

static int labvpd_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	struct card *card = card_find(bus);
	int i, rc = card->stock->read(bus, devfn, where, size, value);
	u32 seen = 0;

	if (rc || devfn != card->devfn || where >= PCI_CFG_SPACE_SIZE)
		return rc;
	for (i = 0; i < size; i++)
		seen |= (u32)card_config(card, where + i, *value >> 8 * i) << 8 * i;
	*value = seen;
	return 0;
}

/* An address without the flag asks for a dword; the flag says that it is there. */
static void card_fetch(struct card *card, u16 address)
{
	int i;

	card->data = 0;
	for (i = 0; i < 4; i++)
		card->data |= (u32)card_byte(card, (address & PCI_VPD_ADDR_MASK) + i) << 8 * i;
	card->address = address | PCI_VPD_ADDR_F;
}

static int labvpd_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	struct card *card = card_find(bus);

	if (devfn != card->devfn || where < PLACE || where >= PLACE + 8)
		return card->stock->write(bus, devfn, where, size, value);
	if (where == PLACE + PCI_VPD_ADDR && !(value & PCI_VPD_ADDR_F))
		card_fetch(card, value);
	return 0;
}

static int card_add(struct card *card, const char *slot, const char *hex)
{
	unsigned int domain, bus, device, function;
	struct pci_dev *dev;
	u8 next;

	if (sscanf(slot, "%x:%x:%x.%x", &domain, &bus, &device, &function) != 4)
		return -EINVAL;
	dev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(device, function));
	if (!dev)
		return -ENODEV;
	pci_read_config_byte(dev, PCI_CAPABILITY_LIST, &next);
	while (next) {
		card->last = next;
		pci_read_config_byte(dev, card->last + PCI_CAP_LIST_NEXT, &next);
	}
	card->devfn = dev->devfn;
	card->hex = hex;
	card->ours = *dev->bus->ops;
	card->ours.read = labvpd_read;
	card->ours.write = labvpd_write;
	card->stock = dev->bus->ops;
	card->bus = dev->bus;
	pci_bus_set_ops(dev->bus, &card->ours);
	pci_dev_put(dev);
	return 0;
}

static void labvpd_exit(void)
{
	int i;

	for (i = 0; i < n_slots; i++)
		if (cards[i].bus)
			pci_bus_set_ops(cards[i].bus, cards[i].stock);
}

static int __init labvpd_init(void)
{
	int i, rc = n_slots == n_vpd ? 0 : -EINVAL;

	for (i = 0; i < n_slots && !rc; i++)
		rc = card_add(&cards[i], slots[i], vpd[i]);
	if (rc)
		labvpd_exit();
	return rc;
}

module_init(labvpd_init);
module_exit(labvpd_exit);
MODULE_DESCRIPTION("VPD for cards that have none");
MODULE_LICENSE("GPL");
