"""Places, people and orders that customers send, put into words."""

from pydantic import FiniteFloat, RootModel

from channels_app.meta.schemas import Maybe, Shape, present


class Location(Shape):
    """A place."""

    latitude: FiniteFloat
    longitude: FiniteFloat
    name: Maybe[str] = None
    address: Maybe[str] = None


class Name(Shape):
    """A person's name, whole or in parts."""

    formatted_name: Maybe[str] = None
    first_name: Maybe[str] = None
    last_name: Maybe[str] = None


class Phone(Shape):
    """A number to call."""

    phone: Maybe[str] = None
    wa_id: Maybe[str] = None


class Email(Shape):
    """An address to write to."""

    email: Maybe[str] = None


class Organization(Shape):
    """Where somebody works."""

    company: Maybe[str] = None


class Card(Shape):
    """A person's contact card."""

    name: Maybe[Name] = None
    phones: Maybe[list[Maybe[Phone]]] = None
    emails: Maybe[list[Maybe[Email]]] = None
    org: Maybe[Organization] = None

    @property
    def words(self) -> str:
        """The card on one line."""
        name = self.name or Name()
        in_parts = " ".join(part for part in (name.first_name, name.last_name) if part)
        parts = [
            name.formatted_name or in_parts,
            *(phone.phone or phone.wa_id for phone in present(self.phones)),
            *(email.email for email in present(self.emails)),
            self.org.company if self.org else None,
        ]
        return f"Contact: {_listed(parts)}"


class Cards(RootModel[list[Maybe[Card]]]):
    """The cards of one message."""


class Product(Shape):
    """One line of an order."""

    product_retailer_id: Maybe[str] = None
    quantity: Maybe[FiniteFloat | str] = None
    item_price: Maybe[FiniteFloat | str] = None
    currency: Maybe[str] = None

    @property
    def words(self) -> str:
        """How much of what at which price."""
        product = self.product_retailer_id or "unknown product"
        what = f"{_amount(self.quantity)} \N{MULTIPLICATION SIGN} {product}"
        price = f"{self.item_price:.2f}" if isinstance(self.item_price, float) else self.item_price
        return f"{what} at {price} {self.currency or ''}".rstrip() if price else what


class Order(Shape):
    """What a customer put into the cart of a catalogue."""

    text: Maybe[str] = None
    product_items: list[Maybe[Product]]


def location(value: object) -> str:
    """Describe a place: its name, address and coordinates."""
    place = Location.model_validate(value)
    where = _listed([place.name, place.address])
    coordinates = f"({place.latitude}, {place.longitude})"
    return f"Location: {where} {coordinates}" if where else f"Location: {coordinates}"


def contacts(value: object) -> str:
    """Describe contact cards, one a line."""
    return "\n".join(card.words for card in present(Cards.model_validate(value).root))


def order(value: object) -> str:
    """Describe an order, and below it the customer's text."""
    parsed = Order.model_validate(value)
    lines = "; ".join(product.words for product in present(parsed.product_items))
    return f"Order: {lines}\n{parsed.text or ''}".rstrip("\n")


def _listed(parts: list[str | None]) -> str:
    return ", ".join(part for part in parts if part)


def _amount(quantity: float | str | None) -> str:
    if quantity is None:
        return "1"
    return str(int(quantity)) if isinstance(quantity, float) and quantity.is_integer() else str(quantity)
