//! Colours of CSS as text, and nothing else: what goes from a site's style sheets into a page of ours.

use super::limits::COLOR_LEN_MAX;

/// The colour in lower case, if the whole text is one: hex digits, a name, or a function of plain numbers. Not what depends on where it stands (`inherit`, `var()`, `currentcolor`)
/// nor what shows what lies below (`transparent`).
pub(super) fn color(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() > COLOR_LEN_MAX || !text.is_ascii() {
        return None;
    }
    let text = text.to_ascii_lowercase();
    let is_color = if let Some(digits) = text.strip_prefix('#') {
        matches!(digits.len(), 3 | 4 | 6 | 8) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    } else if let Some((function, rest)) = text.split_once('(') {
        FUNCTIONS.contains(&function) && rest.strip_suffix(')').is_some_and(are_numbers)
    } else {
        NAMES.split_ascii_whitespace().any(|name| name == text)
    };
    is_color.then_some(text)
}

/// Whether these are three or four numbers, with the units and separators that colours have.
fn are_numbers(arguments: &str) -> bool {
    let parts: Vec<&str> = arguments.split([' ', ',', '/']).filter(|part| !part.is_empty()).collect();
    matches!(parts.len(), 3 | 4) && parts.into_iter().all(is_number)
}

fn is_number(text: &str) -> bool {
    let unit = ["%", "deg", "grad", "turn", "rad"].into_iter().find_map(|unit| text.strip_suffix(unit));
    let digits = unit.unwrap_or(text);
    let digits = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    text == "none"
        || (digits.bytes().any(|byte| byte.is_ascii_digit())
            && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && digits.matches('.').count() <= 1)
}

const FUNCTIONS: [&str; 9] = ["rgb", "rgba", "hsl", "hsla", "hwb", "lab", "lch", "oklab", "oklch"];

/// The names of CSS Color 4.
const NAMES: &str = "aliceblue antiquewhite aqua aquamarine azure beige bisque black blanchedalmond blue blueviolet brown burlywood cadetblue chartreuse \
    chocolate coral cornflowerblue cornsilk crimson cyan darkblue darkcyan darkgoldenrod darkgray darkgreen darkgrey darkkhaki darkmagenta darkolivegreen \
    darkorange darkorchid darkred darksalmon darkseagreen darkslateblue darkslategray darkslategrey darkturquoise darkviolet deeppink deepskyblue dimgray \
    dimgrey dodgerblue firebrick floralwhite forestgreen fuchsia gainsboro ghostwhite gold goldenrod gray green greenyellow grey honeydew hotpink indianred \
    indigo ivory khaki lavender lavenderblush lawngreen lemonchiffon lightblue lightcoral lightcyan lightgoldenrodyellow lightgray lightgreen lightgrey \
    lightpink lightsalmon lightseagreen lightskyblue lightslategray lightslategrey lightsteelblue lightyellow lime limegreen linen magenta maroon \
    mediumaquamarine mediumblue mediumorchid mediumpurple mediumseagreen mediumslateblue mediumspringgreen mediumturquoise mediumvioletred midnightblue \
    mintcream mistyrose moccasin navajowhite navy oldlace olive olivedrab orange orangered orchid palegoldenrod palegreen paleturquoise palevioletred \
    papayawhip peachpuff peru pink plum powderblue purple rebeccapurple red rosybrown royalblue saddlebrown salmon sandybrown seagreen seashell sienna silver \
    skyblue slateblue slategray slategrey snow springgreen steelblue tan teal thistle tomato turquoise violet wheat white whitesmoke yellow yellowgreen";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colours_are_known_in_all_their_forms() {
        for text in [
            "#111",
            "#1234",
            " #0D1117 ",
            "#0d1117ff",
            "rebeccapurple",
            "Black",
            "rgb(1,2,3)",
            "rgb(1 2 3 / 50%)",
            "hsl(210deg 13% 12%)",
            "oklch(.14 0 none)",
        ] {
            assert_eq!(color(text), Some(text.trim().to_ascii_lowercase()), "{text}");
        }
    }

    #[test]
    fn what_is_no_colour_or_depends_on_its_place_is_none() {
        for text in [
            "",
            "#",
            "#12",
            "#12345",
            "#ggg",
            "inherit",
            "transparent",
            "currentcolor",
            "none",
            "canvas",
            "var(--a)",
            "rgb(var(--a))",
            "rgb(1,2)",
            "rgb(1,2,3,4,5)",
            "rgb(1,2,3)}",
            "rgb(1,2,3);a",
            "url(x)",
            "rgb(calc(1),2,3)",
            "rgb(1..2,3,4)",
            "#111</style>",
            "bl\u{e4}ck",
            "rgb(1,2,3",
            "expression(1,2,3)",
        ] {
            assert_eq!(color(text), None, "{text}");
        }
        assert_eq!(color(&format!("rgb(1,2,{}3)", "0".repeat(COLOR_LEN_MAX))), None);
    }

    proptest! {
        #[test]
        fn nothing_that_ends_a_declaration_or_an_attribute_passes(text in "(#|rgb\\(|[0-9a-f.,% /()<>;{}\"'\\\\&-]|\\PC){0,12}") {
            if let Some(color) = color(&text) {
                prop_assert!(color.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"#(),.%/ +-".contains(&byte)), "{color}");
            }
        }
    }
}
