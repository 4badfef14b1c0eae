//! A PDF made by hand.

use std::fmt::Write;

use crate::site::noise;

/// A one-page PDF with a title, text in two standard fonts, a drawing, and 3 MiB of an object nothing refers to.
pub(super) fn paper() -> Vec<u8> {
    let content = "BT /F1 24 Tf 72 720 Td (From visitor to visitor) Tj ET\n\
        BT /F2 12 Tf 72 690 Td (Every piece matches its digest.) Tj ET\n\
        0.2 0.5 0.3 rg 72 500 200 120 re f\n0.8 0.1 0.1 RG 4 w 100 300 m 300 450 l 500 300 l s\n";
    let mut pdf = b"%PDF-1.7\n".to_vec();
    let mut offsets = Vec::new();
    let objects: [Vec<u8>; 8] = [
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 6 0 R \
          /Resources << /Font << /F1 4 0 R /F2 5 0 R >> >> >>"
            .to_vec(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_vec(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman >>".to_vec(),
        stream(content.as_bytes()),
        b"<< /Title (A paper) >>".to_vec(),
        stream(&noise(7, 3 << 20)),
    ];
    for (index, object) in objects.iter().enumerate() {
        offsets.push(pdf.len());
        pdf.extend_from_slice(format!("{} 0 obj\n", index + 1).as_bytes());
        pdf.extend_from_slice(object);
        pdf.extend_from_slice(b"\nendobj\n");
    }
    let table_at = pdf.len();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", offsets.len() + 1);
    for offset in &offsets {
        let _ = writeln!(table, "{offset:010} 00000 n ");
    }
    let _ = write!(table, "trailer\n<< /Size {} /Root 1 0 R /Info 7 0 R >>\nstartxref\n{table_at}\n%%EOF\n", offsets.len() + 1);
    pdf.extend_from_slice(table.as_bytes());
    pdf
}

fn stream(body: &[u8]) -> Vec<u8> {
    let mut object = format!("<< /Length {} >>\nstream\n", body.len()).into_bytes();
    object.extend_from_slice(body);
    object.extend_from_slice(b"\nendstream");
    object
}
