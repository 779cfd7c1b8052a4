/*
 * Puts the colours on before the first paint: those that were chosen, or the system's. A classic script in the head: a module
 * would come too late, and the page would flash.
 */
"use strict";
{
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    let chosen = null;
    try {
      chosen = localStorage.getItem("theme");
    } catch {
      // Storage may be forbidden; the system's own choice holds then.
    }
    const own = chosen === "light" || chosen === "dark";
    document.documentElement.dataset.theme = own ? chosen : system.matches ? "dark" : "light";
    document.dispatchEvent(new Event("themechange"));
  };
  apply();
  system.addEventListener("change", apply);
}
