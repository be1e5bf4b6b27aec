/* The link's token comes after its #, which no server sees: into the form with it, and out of the address. */
addEventListener("DOMContentLoaded", () => {
    const field = document.querySelector("input[name=token]");
    if (field && location.hash.length > 1) {
        field.value = location.hash.slice(1);
        history.replaceState(null, "", location.pathname);
    }
});
